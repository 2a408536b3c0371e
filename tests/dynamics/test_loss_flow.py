"""Gradient flow on any loss, against closed forms and against small steps of the network itself."""

import importlib

import pytest
import torch
from torch import nn

from ntkit import GradientFlow, LossFlow, empirical_ntk, linearize
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF
from tests.cases import randn, seeded
from tests.dynamics.test_discrete import network
from tests.tolerances import relative_error

pytest.importorskip("scipy")

KERNEL, X, OTHER = RBF(0.7), randn(8, 2), randn(5, 2, seed=1)
LABELS = torch.randint(0, 3, (8,), generator=seeded())
FIGURE = 1e-5  # what is promised where an ODE is integrated


@pytest.mark.parametrize("method", ["LSODA", "BDF", "Radau", "DOP853", "RK45"])
def test_squares_are_the_closed_form(method) -> None:
    y, times = randn(8, 2), [0.0, 1.0, 30.0, 5.0]
    options = {"tolerance": 1e-6} if method in {"BDF", "Radau"} else {}
    flow = LossFlow(KERNEL, X, y, loss=nn.MSELoss(), method=method, **options)
    exact = GradientFlow(KERNEL, X, y)
    expected = exact.predict(OTHER, [t * 2 / y.numel() for t in times])
    assert relative_error(flow.predict(OTHER, times), expected) < (1e-4 if options else 1e-6)


LOSSES = {
    "cross-entropy": (nn.CrossEntropyLoss(), LABELS, 3),
    "logistic": (nn.BCEWithLogitsLoss(reduction="sum"), (LABELS > 0).double()[:, None], 1),
    "huber": (nn.HuberLoss(delta=0.3), randn(8, 2), 2),
    "a function": (lambda f, y: torch.log(torch.cosh(f - y)).sum(), randn(8, 2), 2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_runge_kutta_steps_of_the_linearised_network(name: str) -> None:
    """Its parameters themselves follow the gradient of the loss, by the classical fourth order."""
    loss, y, outputs = LOSSES[name]
    net = network(outputs)
    x, other = randn(8, 3), randn(5, 3, seed=1)
    flow = LossFlow(empirical_ntk(net, "full"), x, y, loss=loss, f0=net)
    linear = linearize(net)
    parameters = list(linear.parameters())

    def slope(values):
        with torch.no_grad():
            for p, v in zip(parameters, values, strict=True):
                p.copy_(v)
        return [-g for g in torch.autograd.grad(loss(linear(x), y), parameters)]

    def ahead(values, slopes, h):
        return [v + h * s for v, s in zip(values, slopes, strict=True)]

    at, h = [p.detach().clone() for p in parameters], 0.005
    for _ in range(20):
        k1 = slope(at)
        k2 = slope(ahead(at, k1, h / 2))
        k3 = slope(ahead(at, k2, h / 2))
        k4 = slope(ahead(at, k3, h))
        mean = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(k1, k2, k3, k4, strict=True)]
        at = ahead(at, mean, h)
    slope(at)
    assert relative_error(flow.predict(other, [0.1])[0], linear(other).detach()) < FIGURE
    assert abs(float(flow.loss([0.1])[0]) - loss(linear(x), y).item()) < FIGURE


def test_classes_are_told_apart_and_the_loss_falls() -> None:
    flow = LossFlow(KERNEL, X, LABELS, loss=nn.CrossEntropyLoss())
    times = [0.0, 1.0, 10.0, 1e3, 1e4]
    assert bool((flow.loss(times).diff() < 0).all())
    assert torch.equal(flow.predict(X, [1e4])[0].argmax(1), LABELS)
    assert flow.predict(OTHER, [1.0]).shape == (1, 5, 3)
    four = LossFlow(KERNEL, X, LABELS, loss=nn.CrossEntropyLoss(), n_outputs=4)
    assert four.predict(OTHER, [0.0]).shape == (1, 5, 4)


def test_scipy_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def without(name: str, *rest):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    with pytest.raises(ImportError, match=r"`LossFlow` integrates with scipy"):
        LossFlow(KERNEL, X, randn(8), loss=nn.MSELoss())


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: LossFlow(KERNEL, X, randn(5), loss=nn.MSELoss()), "`y` has 5 entries"),
        (
            lambda: LossFlow(KERNEL, X, randn(8), loss=nn.MSELoss(), method="Euler"),
            '`method="Euler"` must be',
        ),
        (
            lambda: LossFlow(KERNEL, X, randn(8), loss=nn.MSELoss(), structure="tiled"),
            "needs a dense matrix, and the kernel is held",
        ),
        (
            lambda: LossFlow(KERNEL, X, randn(8), loss=nn.MSELoss()).predict(X, [torch.inf]),
            "must be one or more finite times",
        ),
        (
            lambda: LossFlow(KERNEL, X, randn(8, 2, 2), loss=nn.MSELoss()),
            "takes one axis of outputs",
        ),
        (
            lambda: LossFlow(KERNEL, X, randn(8), loss=lambda f, y: f - y),
            r"`loss\(f, y\)` must be one number, a tensor of one entry, got shape \(8,\)",
        ),
        (
            lambda: LossFlow(KERNEL, X, randn(8), loss=lambda f, y: 1.0),
            "got float. Sum or average it",
        ),
        (lambda: LossFlow(KERNEL, X, randn(8), loss=3), "`loss=3` must be a function of"),
    ],
)
def test_errors(unchecked, call, match: str) -> None:
    with pytest.raises((TypeError, ValueError), match=match):
        call()


ENDLESS = {
    "L1": nn.L1Loss(reduction="sum"),
    "hinge": lambda f, y: (1 - f * y.sign()).clamp_min(0).sum(),
    "quantile": lambda f, y: torch.maximum(0.3 * (y - f), -0.7 * (y - f)).sum(),
    "unbounded, in finite time": lambda f, y: -((f - y) ** 4).sum(),
    "unbounded": lambda f, y: -((f - y) ** 2).sum(),
}


@pytest.mark.parametrize("loss", ENDLESS.values(), ids=ENDLESS)
def test_integrations_without_an_end_are_ended(loss) -> None:
    flow = LossFlow(KERNEL, X, 1 + X[:, 0].abs(), loss=loss, max_evaluations=300)
    with pytest.raises(NumericalError, match=r"300 evaluations .* at t = .*kinks .*runs off"):
        flow.predict(OTHER, [1e3])


@pytest.mark.parametrize("method", ["LSODA", "DOP853"])
def test_gradients_that_are_not_finite_are_refused(method) -> None:
    y = X[:, 0]
    with pytest.raises(NumericalError, match=r"`loss\(f, y\)` is not finite: nan"):
        LossFlow(KERNEL, X, 1 + y.abs(), loss=lambda f, y: (f - y).log().sum())

    def root(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return ((f - y) ** 2).sqrt().sum()  # its slope at f = y is 0 / 0

    with pytest.raises(NumericalError, match="gradient of the loss is not finite at the start"):
        LossFlow(KERNEL, X, 0 * y, loss=root).predict(OTHER, [1.0])

    def falls(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return -((y - f).sqrt() ** 0.5).sum()  # up to f = y, and not defined beyond

    flow = LossFlow(KERNEL, X, 1 + y.abs(), loss=lambda f, y: -falls(f, y), method=method)
    with pytest.raises(NumericalError, match=r"not finite at t = |evaluations|integration stopped"):
        flow.predict(OTHER, [100.0])


def test_a_loss_that_becomes_infinite_is_refused() -> None:
    def steep(f: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.exp(1e3 * f.detach()).sum() - f.sum()

    flow = LossFlow(KERNEL, X, 0 * X[:, 0], loss=steep)
    with pytest.raises(NumericalError, match=r"`loss\(f, y\)` is not finite: \[.*inf"):
        flow.loss([0.0, 5.0])
