"""Conjugate gradients, each column with its own steps, and the circulant preconditioner."""

from itertools import product

import pytest
import torch

from ntkit import Grid, encodings, gram, ntk
from ntkit.operators import DenseOperator, ToeplitzOperator
from ntkit.solvers import chan_preconditioner, conjugate_gradients
from tests.cases import layered, randn, seeded
from tests.solvers.test_chebyshev import positive_definite
from tests.tolerances import assert_near, relative_error


def well_conditioned(n: int) -> torch.Tensor:
    return positive_definite(n) + torch.eye(n).double()


def test_solves_as_a_dense_solve() -> None:
    matrix, b = well_conditioned(40), randn(3, 40)
    found = conjugate_gradients(DenseOperator(matrix), b, tolerance=1e-13, max_iterations=80)
    assert found.converged
    assert_near(found.x, torch.linalg.solve(matrix, b.T).T, loosen=10)
    assert found.residual <= 2e-13


def test_columns_do_not_disturb_each_other() -> None:
    """Of very different sizes, one zero, one an eigenvector: the same as one at a time."""
    matrix = well_conditioned(40)
    mode = torch.linalg.eigh(matrix).eigenvectors[:, 7]
    b = torch.stack([1e8 * randn(40), randn(40, seed=1), 1e-8 * randn(40, seed=2), 0 * mode, mode])
    op = DenseOperator(matrix)
    together = conjugate_gradients(op, b, tolerance=1e-12, max_iterations=80).x
    for i, row in enumerate(b):
        alone = conjugate_gradients(op, row[None], tolerance=1e-12, max_iterations=80).x[0]
        assert relative_error(together[i], alone) < 1e-11


def test_residual_falls_at_least_as_fast_as_its_bound() -> None:
    """`2 ((sqrt(k) - 1) / (sqrt(k) + 1))^i` in the energy norm."""
    matrix, b = well_conditioned(60), randn(1, 60)
    values = torch.linalg.eigvalsh(matrix)
    root = float(values[-1] / values[0]) ** 0.5
    exact = torch.linalg.solve(matrix, b.T)
    for i in (2, 5, 8):
        found = conjugate_gradients(DenseOperator(matrix), b, tolerance=1e-30, max_iterations=i)
        error = found.x.T - exact
        energy = ((error.T @ matrix @ error) / (exact.T @ matrix @ exact)).sqrt()
        assert float(energy) <= 2 * ((root - 1) / (root + 1)) ** i


def test_running_out_is_reported_with_the_true_residual() -> None:
    matrix, b, steps = positive_definite(40), randn(2, 40), []
    found = conjugate_gradients(
        DenseOperator(matrix), b, tolerance=1e-12, max_iterations=5, on_step=lambda: steps.append(1)
    )
    assert (found.converged, found.iterations, len(steps)) == (False, 5, 5)
    true = (b - found.x @ matrix).norm(dim=1) / b.norm(dim=1)
    assert abs(found.residual - float(true.max())) < 1e-12


@pytest.mark.parametrize("shape", [(7,), (4, 5), (2, 3, 4)], ids=str)
def test_chan_is_the_mean_over_wrapped_diagonals(shape: tuple[int, ...]) -> None:
    table = torch.zeros([2 * n - 1 for n in shape], dtype=torch.float64)
    table += 0.1 * randn(*table.shape)
    table = table + table.flip(list(range(len(shape))))
    table[tuple(n - 1 for n in shape)] += 5.0
    op = ToeplitzOperator(table, shape)
    matrix, index = op.dense(), list(product(*map(range, shape)))
    lag = [
        [tuple((a - b) % n for a, b, n in zip(i, j, shape, strict=True)) for j in index]
        for i in index
    ]
    nearest = torch.zeros_like(matrix)
    for wrapped in index:
        entries = torch.tensor([[cell == wrapped for cell in line] for line in lag])
        nearest[entries] = matrix[entries].mean()
    r = randn(2, len(index))
    assert_near(chan_preconditioner(op)(r), torch.linalg.solve(nearest, r.T).T, loosen=10)


def test_the_preconditioner_pays() -> None:
    """At a small bandwidth, on a grid: half of the products at most."""
    grid = Grid((16, 16))
    op = gram(
        ntk(layered(encodings.Gaussian(2, 64, 1.0, seeded()))), grid[::2, ::2], structure="toeplitz"
    )
    b = randn(1, 64)
    plain = conjugate_gradients(op, b, tolerance=1e-8, max_iterations=2000)
    fast = conjugate_gradients(
        op, b, tolerance=1e-8, max_iterations=2000, preconditioner=chan_preconditioner(op)
    )
    assert fast.converged
    assert 2 * fast.iterations <= plain.iterations
