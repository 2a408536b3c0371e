"""The top of the spectrum with repeated eigenvalues, restarts and residuals that hold."""

import pytest
import torch
from torch import Tensor

from ntkit.kernels import RBF, Linear
from ntkit.operators import DenseOperator
from ntkit.solvers import block_lanczos
from tests.cases import randn
from tests.tolerances import assert_near


def symmetric(values: Tensor) -> Tensor:
    """A matrix of these eigenvalues in random directions."""
    rotation = torch.linalg.qr(randn(len(values), len(values))).Q
    return rotation @ torch.diag(values) @ rotation.T


CASES = {
    "slow decay, restarted": symmetric(torch.arange(1.0, 301.0).double() ** -0.5),
    "multiplicity five": symmetric(torch.arange(40.0).double().repeat_interleave(5)),
    "indefinite": symmetric(torch.linspace(-3, 2, 200).double()),
    "falls to rounding": RBF(1.0)(randn(200, 2)),
    "rank three": Linear()(randn(100, 3)),
    "as small as the block": symmetric(torch.arange(1.0, 11.0).double()),
}


@pytest.mark.parametrize("matrix", CASES.values(), ids=CASES)
def test_eigenpairs_within_their_residuals(matrix: Tensor) -> None:
    found = block_lanczos(DenseOperator(matrix), count=9)
    exact = torch.linalg.eigvalsh(matrix).flip(0)
    size = exact.abs().max()
    assert found.converged
    assert float((found.values - exact[:9]).abs().max() / size) < 1e-9
    assert_near(found.vectors @ found.vectors.T, torch.eye(9).double(), loosen=10)
    errors = (found.vectors @ matrix - found.values[:, None] * found.vectors).norm(dim=1)
    assert bool((errors <= found.residuals * (1 + 1e-6) + 1e-13 * size).all())


def test_it_says_when_it_has_not_converged() -> None:
    matrix = CASES["slow decay, restarted"]
    found = block_lanczos(DenseOperator(matrix), count=9, max_products=3)
    assert not found.converged
    assert found.products == 3
    errors = (found.vectors @ matrix - found.values[:, None] * found.vectors).norm(dim=1)
    assert_near(found.residuals, errors, loosen=100)


def test_refuses_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="`count=4` exceeds the 3"):
        block_lanczos(DenseOperator(torch.eye(3)), count=4)
