"""The Cholesky factor of a kernel matrix, with as little jitter as it needs, and that reported."""

from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, positive
from ntkit._core.errors import NumericalError

__all__ = ["CholeskyFactor", "cholesky"]

_GROWTH = 10.0
"""From one try of a jitter to the next."""


@dataclass(frozen=True)
class CholeskyFactor:
    """`matrix + jitter I = lower lower^T`.

    Attributes:
        lower: `[n, n]`, lower triangular.
        jitter: What was added to the diagonal, in the units of the matrix; 0 where none was needed.

    Example:
        >>> import torch
        >>> from ntkit.solvers import cholesky
        >>> factor = cholesky(4 * torch.eye(2).double())
        >>> factor.lower.diagonal().tolist(), factor.jitter
        ([2.0, 2.0], 0.0)
    """

    lower: Float[Tensor, "n n"]
    jitter: float

    def solve(self, b: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """`x` with `(matrix + jitter I) x = b`, for a vector or the columns of `b`; O(n^2) each."""
        columns = b.reshape(len(b), -1)
        return torch.cholesky_solve(columns, self.lower).reshape(b.shape)

    def whiten(self, b: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """`lower^-1 b`: its square sum is `b^T (matrix + jitter I)^-1 b`."""
        columns = b.reshape(len(b), -1)
        return torch.linalg.solve_triangular(self.lower, columns, upper=False).reshape(b.shape)

    def logdet(self) -> Float[Tensor, ""]:
        """`log det(matrix + jitter I)`."""
        return 2 * self.lower.diagonal().log().sum()


def cholesky(matrix: Float[Tensor, "n m"], *, max_jitter: float | None = None) -> CholeskyFactor:
    """Factor of a positive semi-definite matrix; differentiable in the matrix.

    Where a pivot is lost in rounding (below `sqrt(n) eps` of its own diagonal entry: it has no
    correct digit), `sqrt(n) eps` of the mean diagonal entry is added to the diagonal, then ten times
    that, and so on. `factor.jitter` says how much.

    Args:
        matrix: Symmetric and positive semi-definite up to rounding; only its lower triangle is read.
        max_jitter: Most that may be added, as a share of the mean diagonal entry; the root of the
            precision by default (1.5e-8 in float64).

    Raises:
        ValueError: The matrix is not square.
        NumericalError: It has negative eigenvalues that the jitter allowed does not lift.

    Cost: O(n^3 / 3) multiply-adds a try, `n^2` numbers.

    Source: Higham, Accuracy and Stability of Numerical Algorithms, section 10.1.

    Example:
        >>> factor = cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
        >>> factor.solve(torch.tensor([2.0, 1.0])), factor.jitter
        (tensor([0.5000, 0.0000]), 0.0)
        >>> 0 < cholesky(torch.ones(3, 3).double()).jitter < 1e-14  # one point, three times
        True
    """
    floating_tensor("matrix", matrix, ndim=[2])
    finite("matrix", matrix.detach())
    n = len(matrix)
    if matrix.shape[1] != n:
        raise ValueError(f"`matrix` must be square, got shape {tuple(matrix.shape)}.")
    eps = torch.finfo(matrix.dtype).eps
    most = sqrt(eps) if max_jitter is None else positive("max_jitter", max_jitter)
    diagonal = matrix.detach().diagonal()
    floor = sqrt(n) * eps
    scale = float(diagonal.mean()) if n else 0.0
    tries = [0.0]
    while n and floor * _GROWTH ** (len(tries) - 1) <= most:
        tries.append(floor * _GROWTH ** (len(tries) - 1))
    for share in tries:
        jitter = share * scale
        lower, info = torch.linalg.cholesky_ex(_lifted(matrix, jitter))
        pivots = lower.detach().diagonal() ** 2
        if int(info) == 0 and bool((pivots >= floor * (diagonal + jitter)).all()):
            return CholeskyFactor(lower, jitter)
    if scale <= 0 and n:
        raise NumericalError(
            f"`matrix` is not positive semi-definite: the mean of its diagonal is {scale:.3g}. "
            "Check the kernel, or its sign."
        )
    raise NumericalError(
        f"`matrix` is not positive semi-definite: {tries[-1] * scale:.3g} on its diagonal "
        f"({tries[-1]:.1g} of the mean entry) does not make it so. Add a ridge, compute the kernel "
        "in float64, or allow more with `max_jitter`."
    )


def _lifted(matrix: Tensor, jitter: float) -> Tensor:
    if jitter == 0:
        return matrix
    return matrix + jitter * torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
