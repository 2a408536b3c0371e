"""The top of the spectrum, with bounds that hold."""

import pytest
import torch

from ntkit.operators import DenseOperator
from ntkit.solvers import lanczos
from tests.cases import randn
from tests.solvers.test_chebyshev import positive_definite
from tests.tolerances import assert_near


def test_all_steps_give_all_eigenvalues() -> None:
    matrix = positive_definite(12)
    pairs = lanczos(DenseOperator(matrix), steps=40, start=randn(12))
    assert_near(pairs.values, torch.linalg.eigvalsh(matrix).flip(0), loosen=10)


@pytest.mark.parametrize("steps", [3, 10, 20])
def test_residuals_are_the_distance_to_an_eigenvalue(steps: int) -> None:
    matrix = positive_definite(60)
    values = torch.linalg.eigvalsh(matrix)
    pairs = lanczos(DenseOperator(matrix), steps=steps, start=randn(60))
    vectors = pairs.vectors(steps)
    assert_near(vectors @ vectors.T, torch.eye(steps).double())
    residuals = (vectors @ matrix - pairs.values[:, None] * vectors).norm(dim=1)
    assert bool((residuals <= pairs.residuals + 1e-13).all())
    nearest = (pairs.values[:, None] - values).abs().min(1).values
    assert bool((nearest <= pairs.residuals + 1e-13).all())
    assert bool((pairs.values.diff() <= 0).all())


def test_an_exhausted_krylov_space_ends_the_search() -> None:
    """Two distinct eigenvalues: two products find both."""
    matrix = torch.diag(torch.tensor([3.0] * 4 + [1.0] * 4, dtype=torch.float64))
    pairs = lanczos(DenseOperator(matrix), steps=8, start=randn(8))
    assert_near(pairs.values, torch.tensor([3.0, 1.0]).double())
    assert float(pairs.residuals.max()) < 1e-12
