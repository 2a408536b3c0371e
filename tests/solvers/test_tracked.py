"""Derivatives of flows by hyperparameters, targets and starts: differences, or a word that there are none."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import ntkit
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF
from ntkit.solvers import solve
from ntkit.solvers.slopes import divided_differences

N = 12
X = torch.rand(N, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.sin(5 * X[:, 0]) + X[:, 1]
Z = X[:3] + 0.1
CRITICAL = 2 * float(torch.linalg.eigvalsh(RBF(0.3)(X))[-1]) ** 0.5

Make = Callable[[Tensor | float], Tensor]
RULES: dict[str, Make] = {
    "flow": lambda a: ntkit.GradientFlow(RBF(a), X, Y).predict(Z, [1.0, 100.0]),
    "flow, long": lambda a: ntkit.GradientFlow(RBF(a), X, Y).predict(Z, [1e4]),
    "flow, ended": lambda a: ntkit.GradientFlow(RBF(a), X, Y).predict(Z, [float("inf")]),
    "flow, ridge": lambda a: ntkit.GradientFlow(RBF(a), X, Y, ridge=0.1).predict(
        Z, [3.0, float("inf")]
    ),
    "flow, weights of samples": lambda a: ntkit.GradientFlow(
        RBF(a), X, Y, sample_weights=torch.linspace(0.5, 2, N)
    ).predict(Z, [3.0]),
    "loss": lambda a: ntkit.GradientFlow(RBF(a), X, Y).loss([1.0, 100.0]),
    "descent": lambda a: ntkit.GradientDescent(RBF(a), X, Y, lr=0.05).predict(Z, [1, 500]),
    "momentum": lambda a: ntkit.Momentum(RBF(a), X, Y, lr=0.05, beta=0.8).predict(Z, [1, 500]),
    "nesterov": lambda a: ntkit.Nesterov(RBF(a), X, Y, lr=0.05, beta=0.8).predict(Z, [1, 500]),
    "ball": lambda a: ntkit.HeavyBallFlow(RBF(a), X, Y, damping=1.0).predict(Z, [0.5, 20.0]),
    "ball, critical": lambda a: ntkit.HeavyBallFlow(RBF(a), X, Y, damping=CRITICAL).predict(
        Z, [0.5, 20.0]
    ),
    "periodic grid": lambda a: ntkit.GradientFlow(
        RBF(a), ntkit.Grid(N), Y, structure="dense"
    ).predict(Z[:, :1], [2.0]),
}
"""Predictions of training as functions of a length scale."""


def derivative(make: Make, at: float = 0.3) -> tuple[float, float]:
    """By autograd, and by differences."""
    scale = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(make(scale).sum(), scale)
    step = 1e-4
    up, down, more, less = (float(make(at + s * step).sum()) for s in (1, -1, 2, -2))
    return float(found), (8 * (up - down) - (more - less)) / (12 * step)


@pytest.mark.parametrize("name", RULES)
def test_by_a_hyperparameter(name: str) -> None:
    found, expected = derivative(RULES[name])
    assert abs(found - expected) < 1e-6 * (1 + abs(expected))


OTHERS: dict[str, Make] = {
    "product on a grid": lambda a: ntkit.gram(RBF(a), ntkit.Grid(9)) @ torch.arange(9.0).double(),
    "product on a plane": lambda a: ntkit.gram(RBF(a), ntkit.Grid((4, 5))) @ torch.arange(20.0),
    "product in tiles": lambda a: ntkit.gram(RBF(a), X, structure="tiled") @ Y,
    "solve, stored": lambda a: solve(ntkit.gram(RBF(a), X), Y, ridge=0.1).x,
    "solve, tiles": lambda a: solve(ntkit.gram(RBF(a), X, structure="tiled"), Y, ridge=0.1).x,
    "solve, grid": lambda a: (
        solve(ntkit.gram(RBF(a), ntkit.Grid(9)), torch.arange(9.0).double(), ridge=0.1).x
    ),
    "solve, iterated": lambda a: (
        solve(ntkit.gram(RBF(a), X), Y, ridge=0.1, method=ntkit.solvers.ConjugateGradients()).x
    ),
    "marginal likelihood": lambda a: ntkit.GaussianProcess(
        RBF(a), X, Y, noise=0.1
    ).log_marginal_likelihood(),
    "spectrum": lambda a: ntkit.spectrum(RBF(a), X).eigenvalues[:3],
}
"""Other functions of a length scale."""


@pytest.mark.parametrize("name", OTHERS)
def test_products_and_solutions_by_a_hyperparameter(name: str) -> None:
    found, expected = derivative(OTHERS[name])
    assert abs(found - expected) < 1e-5 * (1 + abs(expected))


REFUSED: dict[str, Make] = {
    "tiles": lambda a: ntkit.GradientFlow(RBF(a), X, Y, structure="tiled").predict(Z, [1.0]),
    "grid": lambda a: ntkit.GradientFlow(RBF(a), ntkit.Grid(N), Y).loss([1.0]),
    "low rank": lambda a: ntkit.GradientFlow(RBF(a), X, Y, structure="low-rank").predict(Z, [1.0]),
    "any loss": lambda a: ntkit.LossFlow(RBF(a), X, Y, loss=torch.nn.HuberLoss()).predict(Z, [1.0]),
    "any loss, its value": lambda a: ntkit.LossFlow(RBF(a), X, Y, loss=torch.nn.MSELoss()).loss([
        1.0
    ]),
}
"""What has no derivative."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_derivative_says_so_when_asked(name: str) -> None:
    """The value is there all the same."""
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    value = REFUSED[name](scale)
    assert torch.allclose(value.detach(), REFUSED[name](0.3))
    with pytest.raises(NumericalError, match="has none"):
        value.sum().backward()


def test_second_derivatives_are_refused() -> None:
    scale = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    value = RULES["flow"](scale).sum()
    (first,) = torch.autograd.grad(value, scale, create_graph=True)
    with pytest.raises(NumericalError, match="second derivative of a flow"):
        torch.autograd.grad(first, scale)


def test_by_targets() -> None:
    y = Y.clone().requires_grad_()
    value = ntkit.GradientFlow(RBF(0.3), X, y).predict(Z, [2.0])[0, 0]
    (found,) = torch.autograd.grad(value, y)
    rows = torch.eye(N, dtype=torch.float64)
    each = [ntkit.GradientFlow(RBF(0.3), X, row).predict(Z, [2.0])[0, 0] for row in rows]
    assert torch.allclose(found, torch.stack(each), atol=1e-12)


def test_eigenvalues_that_coincide() -> None:
    """Two pairs of far points: `K = 1 + b (pairs)`, whose eigenvectors have no derivative."""
    x = torch.tensor([[0.0], [0.1], [50.0], [50.1]]).double()

    def make(a: Tensor | float) -> Tensor:
        return ntkit.GradientFlow(RBF(a), x, x[:, 0]).predict(x + 0.02, [1.5])

    found, expected = derivative(make, at=0.2)
    assert abs(found - expected) < 1e-6 * abs(expected)


@pytest.mark.parametrize("t", [1e-6, 1.0, 1e6])
def test_divided_differences_of_the_exponential(t: float) -> None:
    """`-t e^(-t m) sinh(t d) / (t d)` between `m - d` and `m + d`."""
    s = torch.tensor([0.0, 1e-17, 1e-16, 1e-9, 0.3, 0.3 + 1e-15, 0.3 + 1e-6, 2.0]).double()
    found = divided_differences(lambda x: torch.exp(-t * x), s)
    half = t * (s[:, None] - s) / 2
    mean = torch.exp(-t * (s[:, None] + s) / 2)
    ratio = torch.where(half.abs() < 1e-4, 1 + half**2 / 6, torch.sinh(half) / half)
    exact = torch.where(half.abs() < 300, -t * mean * ratio, found)
    assert (found - exact).abs().max() < 1e-9 * t
