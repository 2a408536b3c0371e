"""Gradient flow on any loss, against closed forms and against small steps of the network itself."""

import importlib

import pytest
import torch
from torch import nn

from ntkit import GradientFlow, LossFlow, empirical_ntk, linearize
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
