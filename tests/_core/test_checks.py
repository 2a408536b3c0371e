"""The checks at the public door."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import ntkit
from ntkit._core import checks, devices
from tests.cases import randn


def test_what_passes_comes_back() -> None:
    assert checks.positive("x", 3) == 3.0
    assert checks.non_negative("x", float("inf")) == float("inf")
    assert checks.positive_int("n", 2) == 2
    x = randn(2, 2)
    assert checks.finite("x", checks.floating_tensor("x", x, ndim=(1, 2))) is x


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: checks.positive("x", 0), ValueError, "`x=0` must be a finite number above 0"),
        (lambda: checks.positive("x", float("nan")), ValueError, "`x=nan` must be a finite"),
        (lambda: checks.positive("x", True), TypeError, "`x=True` must be a number, got bool"),
        (lambda: checks.non_negative("x", -1), ValueError, "`x=-1` must be 0 or more"),
        (lambda: checks.non_negative("x", float("nan")), ValueError, "`x=nan` must be 0 or more"),
        (lambda: checks.positive_int("n", 0), ValueError, "`n=0` must be at least 1"),
        (lambda: checks.positive_int("n", 2.0), TypeError, "`n=2.0` must be an int, got float"),
        (lambda: checks.positive_int("n", True), TypeError, "`n=True` must be an int, got bool"),
        (lambda: checks.positive("x", np.bool_(True)), TypeError, "must be a number, got bool"),
        (lambda: checks.positive("x", torch.tensor(True)), TypeError, "must be a number, got Tens"),
        (lambda: checks.positive("x", 1j), TypeError, "`x=1j` must be a number, got complex"),
        (lambda: checks.positive("x", torch.ones(1)), TypeError, "must be a number, got Tensor"),
        (lambda: checks.positive("x", "1"), TypeError, "`x='1'` must be a number, got str"),
        (lambda: checks.whole("n", np.float64(2)), TypeError, "must be an int, got float64"),
        (lambda: checks.whole("n", torch.tensor(2.0)), TypeError, "must be an int, got Tensor"),
        (
            lambda: checks.positive("lr", torch.tensor(1.0, requires_grad=True)),
            TypeError,
            r"`lr` requires gradients, .* Pass `lr.detach\(\)`",
        ),
        (
            lambda: checks.moments("times", torch.ones(2, requires_grad=True)),
            TypeError,
            "`times` requires gradients",
        ),
        (lambda: checks.moments("times", 3.0), TypeError, r"must be a list: pass `\[3.0\]`"),
        (lambda: checks.moments("times", torch.tensor(3)), TypeError, r"pass `\[3\]`"),
        (lambda: checks.moments("times", np.ones((2, 2))), ValueError, r"one axis, got .*\(2, 2\)"),
        (lambda: checks.moments("times", []), ValueError, "`times` is empty"),
        (lambda: checks.moments("times", [-1]), ValueError, "`times=-1` must be 0 or more"),
        (lambda: checks.floating_tensor("x", [1.0]), TypeError, "must be a torch.Tensor, got list"),
        (
            lambda: checks.floating_tensor("x", torch.zeros(2).half()),
            TypeError,
            r"must be float32 or float64, got torch.float16",
        ),
        (
            lambda: checks.floating_tensor("x", torch.zeros(2), ndim=(2, 3)),
            ValueError,
            r"must have 2 or 3 axes, got shape \(2,\)",
        ),
        (
            lambda: checks.finite("x", torch.tensor([[0.0, 1.0], [torch.inf, torch.nan]])),
            ValueError,
            r"`x` has 2 NaN or infinite entries, the first at index \(1, 0\)",
        ),
    ],
)
def test_what_does_not_pass(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()


NUMBERS = [
    2,
    2.0,
    np.int64(2),
    np.uint8(2),
    np.float32(2),
    np.float64(2),
    np.array(2),
    torch.tensor(2),
    torch.tensor(2.0),
    torch.tensor(2.0, dtype=torch.float64),
]


def _named(value: Any) -> str:
    return f"{type(value).__name__} {getattr(value, 'dtype', '')}"


@pytest.mark.parametrize("two", NUMBERS, ids=_named)
def test_numbers_of_other_kinds(unchecked, two: Any) -> None:
    assert type(checks.positive("x", two)) is float and checks.positive("x", two) == 2
    assert checks.moments("times", [two, 3]) == (2.0, 3.0)
    if isinstance(two, int) or "int" in str(getattr(two, "dtype", "")):
        assert type(checks.positive_int("n", two)) is int and checks.positive_int("n", two) == 2


@pytest.mark.parametrize("times", [np.arange(3), torch.arange(3), (0, 1, 2), range(3)], ids=_named)
def test_times_of_every_kind(times: Any) -> None:
    assert checks.moments("times", times) == (0.0, 1.0, 2.0)


X, Y = randn(5, 2).double(), randn(5).double()

DOORS: dict[str, Callable[[Any], Any]] = {
    "GradientFlow(ridge)": lambda n: ntkit.GradientFlow(RBF, X, Y, ridge=n).predict(X, [1.0]),
    "GradientFlow(tolerance)": lambda n: ntkit.GradientFlow(RBF, X, Y, tolerance=n).loss([1.0]),
    "GradientFlow.predict": lambda n: ntkit.GradientFlow(RBF, X, Y).predict(X, [n]),
    "GradientDescent(lr)": lambda n: ntkit.GradientDescent(RBF * 0.01, X, Y, lr=n).loss([3]),
    "GradientDescent.loss": lambda n: ntkit.GradientDescent(RBF, X, Y, lr=0.01).loss([n]),
    "HeavyBallFlow(damping)": lambda n: ntkit.HeavyBallFlow(RBF, X, Y, damping=n).loss([1.0]),
    "LossFlow.loss": lambda n: ntkit.LossFlow(RBF, X, Y, loss=torch.nn.HuberLoss()).loss([n]),
    "GaussianProcess(noise)": lambda n: ntkit.GaussianProcess(RBF, X, Y, noise=n).predict(X).mean,
    "training_time": lambda n: ntkit.training_time(n, n),
    "RBF(lengthscale)": lambda n: ntkit.kernels.RBF(n)(X),
    "RBF(lengthscale of each axis)": lambda n: ntkit.kernels.RBF([n, n])(X),
    "Polynomial(degree)": lambda n: ntkit.kernels.Polynomial(n, offset=n)(X),
    "kernel * number": lambda n: (RBF * n + n)(X),
    "solve(ridge)": lambda n: ntkit.solvers.solve(ntkit.gram(RBF, X), Y, ridge=n).x,
    "decompose(k)": lambda n: ntkit.spectrum(RBF, X, k=n).eigenvalues,
    "Grid": lambda n: ntkit.Grid(n, origin=n, spacing=n).points(),
    "Grid of two axes": lambda n: ntkit.Grid([n, n], origin=n, spacing=[n, n]).points(),
    "Gaussian": lambda n: ntkit.encodings.Gaussian(n, n, n, torch.Generator().manual_seed(0))(X),
    "Linear": lambda n: ntkit.networks.Linear(n, n, w_std=n, b_std=n).extra_repr(),
    "Conv2d": lambda n: ntkit.networks.Conv2d(n, n, n, stride=n, padding=n).weight.shape,
    "mlp": lambda n: len(ntkit.networks.mlp(ntkit.encodings.Basic(n), n, width=n, depth=n)),
    "Sine": lambda n: ntkit.networks.Sine(n, phase=n)(X),
    "taylor(order)": lambda n: ntkit.taylor(torch.nn.Linear(2, 1).double(), n)(X).shape,
    "empirical_ntk(outputs)": lambda n: repr(ntkit.empirical_ntk(torch.nn.Linear(2, 3), outputs=n)),
    "Sketch(size)": lambda n: repr(ntkit.kernels.Sketch(n)),
    "Contraction(memory)": lambda n: repr(ntkit.kernels.Contraction(memory=n)),
    "ConjugateGradients": lambda n: repr(ntkit.solvers.ConjugateGradients(max_iterations=n)),
    "PivotedCholesky": lambda n: repr(ntkit.solvers.PivotedCholesky(n)),
    "Budget": lambda n: hash(ntkit.tasks.Budget(lr=n, steps=n, batch_size=n)),
}
RBF = ntkit.kernels.RBF(0.5)


@pytest.mark.parametrize("number", [np.int64(2), np.array(2), torch.tensor(2)], ids=_named)
@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_numbers_of_other_kinds(unchecked, door: str, number: Any) -> None:
    found, plain = DOORS[door](number), DOORS[door](2)
    if isinstance(plain, torch.Tensor):
        torch.testing.assert_close(found, plain, rtol=0, atol=0)
    else:
        assert found == plain


def test_a_device_without_float64_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """No such device is at hand: the CPU plays one."""
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", {"cpu"})
    message = r"is on cpu, which has no float64.*Move it to the CPU with `\.to\(\"cpu\"\)`"
    with pytest.raises(TypeError, match=f"`x` {message}"):
        checks.floating_tensor("x", torch.zeros(3))
    net = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    for call in (
        lambda: ntkit.ntk(net)(torch.zeros(3, 2)),
        lambda: ntkit.kernels.RBF(1.0)(torch.zeros(3, 2)),
    ):
        with pytest.raises(TypeError, match=message):
            call()
