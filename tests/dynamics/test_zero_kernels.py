"""Kernels that are zero everywhere, and times past the range of numbers: nothing divides by zero."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import ntkit
from ntkit.kernels import RBF
from ntkit.operators import DenseOperator
from ntkit.solvers import ConjugateGradients, Nystrom, PivotedCholesky, solve
from ntkit.solvers.response import FlowResponse

X = torch.rand(6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
Y = torch.rand(6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
ZERO = 0.0 * RBF(0.3)
GRID = ntkit.Grid(6)

LEARNED: dict[str, Callable[[], Tensor]] = {
    **{
        f"flow, {how}": lambda how=how: ntkit.GradientFlow(ZERO, X, Y, structure=how).predict(
            X[:2], [1.0, 1e300, float("inf")]
        )
        for how in ("dense", "tiled", "low-rank")
    },
    "flow, grid": lambda: ntkit.GradientFlow(ZERO, GRID, Y).predict(GRID, [1.0, float("inf")]),
    "descent": lambda: ntkit.GradientDescent(ZERO, X, Y, lr=0.1).predict(X, [10, float("inf")]),
    "momentum": lambda: ntkit.Momentum(ZERO, X, Y, lr=0.1, beta=0.5).predict(X, [10]),
    "ball": lambda: ntkit.HeavyBallFlow(ZERO, X, Y, damping=0.1).predict(X, [10.0]),
    "any loss": lambda: ntkit.LossFlow(ZERO, X, Y, loss=torch.nn.MSELoss()).predict(X, [10.0]),
}


@pytest.mark.parametrize("name", LEARNED)
def test_a_zero_kernel_learns_nothing(name: str) -> None:
    assert not LEARNED[name]().any()


@pytest.mark.parametrize("how", ["dense", "tiled", "low-rank"])
def test_properties_of_a_zero_kernel(how: str) -> None:
    rule = ntkit.GradientDescent(ZERO, X, Y, lr=0.1, structure=how)
    assert rule.largest_eigenvalue == 0
    assert rule.stability_limit == float("inf")
    assert rule.best_time(X, Y).error == pytest.approx(float((Y**2).mean()))


@pytest.mark.parametrize(
    "method",
    [None, ConjugateGradients(PivotedCholesky(3)), ConjugateGradients(Nystrom(3))],
    ids=str,
)
def test_a_ridge_alone_is_solved(method: ConjugateGradients | None) -> None:
    options = {} if method is None else {"method": method}
    found = solve(DenseOperator(torch.zeros(6, 6).double()), Y, ridge=0.1, **options)
    assert torch.allclose(found.x, 10 * Y, rtol=1e-12)


def test_a_zero_kernel_is_aligned_with_nothing() -> None:
    with pytest.raises(ValueError, match="kernel is zero everywhere"):
        ntkit.spectrum(ZERO, X).alignment(Y)


@pytest.mark.parametrize(
    ("t", "s"), [(1e300, 1e10), (1e308, 10.0), (1.7e308, 1.7e308), (1e-300, 1e300)]
)
def test_products_of_time_and_eigenvalue_past_the_range(t: float, s: float) -> None:
    """All is learned: `H = 1 / s`."""
    response, at = FlowResponse(t), torch.tensor([s, 0.0], dtype=torch.float64)
    left, learned = response.left(at), response.learned(at)
    expected = 1 / s if t * s > 100 else -torch.expm1(torch.tensor(-t * s).double()) / s
    assert float(learned[0]) == pytest.approx(float(expected), rel=1e-14)
    assert float(learned[1]) == pytest.approx(t)
    assert float(left[0]) == (
        0 if t * s > 1000 else pytest.approx(float(torch.tensor(-t * s).double().exp()))
    )


def test_a_kernel_of_large_values_at_a_late_time() -> None:
    flow = ntkit.GradientFlow(1e10 * RBF(0.3), X, Y)
    assert torch.allclose(flow.predict(X, [1e300])[0], Y, atol=1e-6)
