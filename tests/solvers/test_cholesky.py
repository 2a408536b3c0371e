"""The dense factor: exact identities, as little jitter as needed, gradients."""

import pytest
import torch

from ntkit import encodings, ntk
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF
from ntkit.solvers import cholesky
from tests.cases import layered, randn
from tests.solvers.test_chebyshev import positive_definite
from tests.tolerances import assert_near


def test_identities_without_jitter() -> None:
    matrix, b = positive_definite(30) + torch.eye(30), randn(30, 4)
    factor = cholesky(matrix)
    assert factor.jitter == 0
    assert_near(factor.lower @ factor.lower.T, matrix)
    assert_near(matrix @ factor.solve(b), b, loosen=100)
    assert_near(factor.solve(b[:, 0]), factor.solve(b)[:, 0])
    assert_near(factor.logdet(), torch.linalg.eigvalsh(matrix).log().sum())
    square = (b * torch.linalg.solve(matrix, b)).sum()
    assert_near((factor.whiten(b) ** 2).sum(), square, loosen=10)


@pytest.mark.parametrize("kernel", [ntk(layered(encodings.Identity(2))), RBF(0.5)], ids=repr)
def test_repeated_points_need_some_and_little(kernel) -> None:
    """Singular: a jitter of the size of rounding, never noise that happens to be positive."""
    x = randn(20, 2).repeat(3, 1)
    matrix, y = kernel(x), randn(20, seed=1).repeat(3)
    factor = cholesky(matrix)
    assert 0 < factor.jitter < 1e-12 * float(matrix.diagonal().mean())
    assert_near(matrix @ factor.solve(y), y, loosen=1e4)  # y lies in the range


def test_scales_do_not_matter() -> None:
    """A well-conditioned matrix in mixed units has small pivots that are as good as any."""
    units = torch.logspace(-12, 12, 30, dtype=torch.float64)
    matrix = (positive_definite(30) + torch.eye(30)) * units[:, None] * units
    factor = cholesky(matrix)
    assert factor.jitter == 0
    x = randn(30)
    assert_near(factor.solve(matrix @ x) * units, x * units, loosen=1e4)


def test_gradients_are_those_of_the_functions() -> None:
    matrix, b = (positive_definite(6) + torch.eye(6)).requires_grad_(), randn(6, 2)

    def functions(m: torch.Tensor) -> tuple[torch.Tensor, ...]:
        factor = cholesky((m + m.T) / 2)
        return factor.solve(b), factor.logdet(), factor.whiten(b)

    assert torch.autograd.gradcheck(functions, matrix)


def test_an_indefinite_matrix_is_refused() -> None:
    with pytest.raises(NumericalError, match=r"the mean of its diagonal is -1. Check the kernel"):
        cholesky(-torch.eye(3))
    with pytest.raises(NumericalError, match="`matrix` is not positive semi-definite"):
        cholesky(torch.diag(torch.tensor([1.0, -0.1])).double())
    lifted = cholesky(torch.diag(torch.tensor([1.0, -1e-5])).double(), max_jitter=1e-3)
    assert 1e-5 < lifted.jitter < 1e-3


def test_refusals_say_what_arrived() -> None:
    with pytest.raises(ValueError, match=r"`matrix` must be square, got shape \(2, 3\)"):
        cholesky(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="`matrix` has 1 NaN"):
        cholesky(torch.tensor([[float("nan")]]))
