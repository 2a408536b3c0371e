"""Conjugate gradients for many ridges at once: against dense solves, ridge by ridge."""

import pytest
import torch
from torch import Tensor

from ntkit.solvers.multi_shift import multi_shift_cg
from tests.cases import randn
from tests.solvers.test_chebyshev import positive_definite
from tests.tolerances import assert_near, relative_error

RIDGES = [10.0**k for k in range(-8, 3)]


def matrix_of(n: int, decades: float) -> Tensor:
    """Symmetric, its eigenvalues from `10^-decades` to 1."""
    q = torch.linalg.qr(randn(n, n))[0]
    return (q * torch.logspace(-decades, 0, n, dtype=torch.float64)) @ q.T


def dense(matrix: Tensor, b: Tensor, ridge: float) -> Tensor:
    return torch.linalg.solve(matrix + ridge * torch.eye(len(matrix)).to(matrix), b.T).T


def true_residual(matrix: Tensor, b: Tensor, ridge: float, x: Tensor) -> float:
    left = (b - x @ matrix - ridge * x).norm(dim=1)
    return float((left / b.norm(dim=1).clamp_min(1e-300)).max())


def test_each_ridge_is_its_own_solve() -> None:
    """Ten decades of ridges; right-hand sides of very different sizes, and one of zeros."""
    matrix = matrix_of(40, 4)
    b = torch.stack([randn(40), torch.zeros(40).double(), 1e8 * randn(40, seed=2)])
    found = multi_shift_cg(lambda v: v @ matrix, b, RIDGES, tolerance=1e-13)
    for ridge, x in zip(RIDGES, found.values, strict=True):
        expected = dense(matrix, b, ridge)
        for own, other in zip(x, expected, strict=True):
            assert relative_error(own, other) < 1e-10
    assert float(found.values[:, 1].abs().max()) == 0


@pytest.mark.parametrize("tolerance", [1e-3, 1e-8, 1e-12])
def test_what_is_left_is_what_is_said(tolerance: float) -> None:
    """At each ridge, also at those that converged long before the last."""
    matrix, b = matrix_of(40, 3), randn(2, 40)
    found = multi_shift_cg(lambda v: v @ matrix, b, RIDGES, tolerance=tolerance)
    for ridge, x, said in zip(RIDGES, found.values, found.residuals.tolist(), strict=True):
        assert said <= tolerance
        assert true_residual(matrix, b, ridge, x) == pytest.approx(said, rel=0.01, abs=1e-13)


def test_a_ridge_that_has_converged_stays_as_it_is() -> None:
    matrix, b = matrix_of(40, 4), randn(1, 40)
    alone = multi_shift_cg(lambda v: v @ matrix, b, [1.0], tolerance=1e-6)
    beside = multi_shift_cg(lambda v: v @ matrix, b, [1.0, 1e-8], tolerance=1e-6)
    assert alone.iterations < beside.iterations / 2
    assert beside.residuals.max() <= 1e-6
    assert relative_error(beside.values[0], alone.values[0]) < 3e-6


def test_right_hand_sides_do_not_disturb_each_other() -> None:
    matrix = positive_definite(30)
    mode = torch.linalg.eigh(matrix).eigenvectors[:, 3]
    b = torch.stack([randn(30), mode, 1e-9 * randn(30, seed=1)])
    together = multi_shift_cg(lambda v: v @ matrix, b, [1e-3, 2.0], tolerance=1e-13).values
    for k, row in enumerate(b):
        alone = multi_shift_cg(lambda v: v @ matrix, row[None], [1e-3, 2.0], tolerance=1e-13)
        assert relative_error(together[:, k], alone.values[:, 0]) < 1e-10


def test_one_product_an_iteration() -> None:
    matrix, products, steps = matrix_of(20, 2), [], []

    def product(v: Tensor) -> Tensor:
        products.append(len(v))
        return v @ matrix

    found = multi_shift_cg(product, randn(3, 20), RIDGES, on_step=lambda: steps.append(1))
    assert products == [3] * found.iterations
    assert len(steps) == found.iterations


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_nothing_overflows_at_ridges_near_zero(dtype: torch.dtype) -> None:
    """Nor long after the last digit has been reached."""
    matrix, b = matrix_of(30, 3).to(dtype), randn(2, 30).to(dtype)
    ridges = [0.0, 1e-30, 1e-12, 1.0, 1e6]
    found = multi_shift_cg(lambda v: v @ matrix, b, ridges, tolerance=0.0, max_iterations=2000)
    assert bool(found.values.isfinite().all())
    assert bool(found.residuals.isfinite().all())
    for ridge, x in zip(ridges, found.values, strict=True):
        assert_near(x, dense(matrix.double(), b.double(), ridge).to(dtype), loosen=1e3)


def test_a_singular_matrix_leaves_what_it_cannot_reach() -> None:
    """`K = 0`: nothing at a ridge of zero, and `b / ridge` at others."""
    b = randn(2, 5)
    found = multi_shift_cg(torch.zeros_like, b, [0.5, 2.0])
    assert_near(found.values, torch.stack([2 * b, b / 2]))
    stuck = multi_shift_cg(torch.zeros_like, b, [0.0])
    assert (stuck.iterations, float(stuck.residuals[0])) == (1, 1.0)
    assert float(stuck.values.abs().max()) == 0


def test_running_out_is_reported() -> None:
    matrix, b = matrix_of(40, 4), randn(1, 40)
    found = multi_shift_cg(lambda v: v @ matrix, b, [1e-6, 1.0], tolerance=1e-12, max_iterations=9)
    assert found.iterations == 9
    for ridge, x, said in zip([1e-6, 1.0], found.values, found.residuals.tolist(), strict=True):
        assert true_residual(matrix, b, ridge, x) == pytest.approx(said, rel=1e-6)
    assert float(found.residuals[0]) > 1e-12
