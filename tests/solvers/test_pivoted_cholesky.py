"""The thin factor, its error, and its features at other points."""

import pytest
import torch

from ntkit import Grid, encodings, nngp, ntk
from ntkit.solvers import pivoted_cholesky
from tests.cases import layered, randn
from tests.tolerances import assert_near

KERNELS = [
    ntk(layered(encodings.Identity(2))),
    nngp(layered(encodings.Gaussian(2, 32, 0.5))),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("tolerance", [1e-1, 1e-3, 1e-5])
def test_the_error_is_the_trace_left_out(kernel, tolerance: float) -> None:
    x = Grid((11, 9)).points()
    factor = pivoted_cholesky(kernel, x, tolerance=tolerance, max_rank=99)
    whole = kernel(x)
    rest = whole - factor.operator.dense()
    assert abs(float(rest.trace() / whole.trace()) - factor.error) < 1e-12
    assert factor.converged
    assert factor.error <= tolerance
    assert torch.linalg.eigvalsh(rest).min() > -1e-10 * whole.trace()
    assert float(torch.linalg.matrix_norm(rest, 2)) <= 1.01 * tolerance * float(whole.trace())


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
def test_factor_triangle_and_features_agree(kernel) -> None:
    x, other = Grid((11, 9)).points(), randn(5, 2)
    factor = pivoted_cholesky(kernel, x, tolerance=1e-6, max_rank=60)
    at_pivots = factor.triangle @ factor.triangle.T
    assert_near(at_pivots, kernel(factor.pivots), loosen=100)
    assert_near(factor.features(kernel, x), factor.left, loosen=1e6)  # divided by small pivots
    nystrom = kernel(other, factor.pivots) @ torch.linalg.solve(
        kernel(factor.pivots), kernel(factor.pivots, x)
    )
    assert_near(factor.features(kernel, other) @ factor.left.T, nystrom, loosen=1e6)


def test_running_out_of_rank_is_reported() -> None:
    factor = pivoted_cholesky(KERNELS[0], Grid((9, 9)).points(), tolerance=1e-9, max_rank=10)
    assert factor.operator.rank == 10
    assert not factor.converged
    assert factor.error > 1e-9


def test_repeated_points_add_no_rank() -> None:
    x = randn(6, 2).repeat(5, 1)
    factor = pivoted_cholesky(KERNELS[0], x, tolerance=1e-14, max_rank=30)
    assert factor.operator.rank <= 6
    assert_near(factor.operator.dense(), KERNELS[0](x), loosen=10)


def test_the_tolerance_is_positive() -> None:
    with pytest.raises(ValueError, match=r"`tolerance=0.0` must be a finite number above 0"):
        pivoted_cholesky(KERNELS[0], randn(3, 2), tolerance=0.0, max_rank=3)
