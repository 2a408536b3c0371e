"""A kernel matrix as a thin factor, from a few of its columns."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.checks import positive, positive_int
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.low_rank import LowRankOperator

__all__ = ["Factor", "pivoted_cholesky", "pivoted_columns"]

_BLOCK = 32  # least number of pivots whose kernel columns are computed in one call

_KEEP = 0.3  # a drawn pivot is used while it still has this share of the error it was drawn for


@dataclass(frozen=True)
class Factor:
    """`K(x, x)` as `left @ left.T`, with what is needed for the same features elsewhere.

    Attributes:
        left: `[n, r]`.
        pivots: `[r, d]`, the points whose columns were taken.
        triangle: `[r, r]`, lower triangular; `K(pivots, pivots) = triangle @ triangle.T`.
        error: Trace of what is left out over the trace of the matrix: the relative error.
        converged: Whether `error` reached the tolerance within the rank allowed.

    Example:
        >>> import ntkit, torch
        >>> x = torch.linspace(0, 1, 20).double()[:, None]
        >>> factor = ntkit.solvers.pivoted_cholesky(ntkit.kernels.RBF(1.0), x, tolerance=1e-6, max_rank=20)
        >>> len(factor.pivots) < 20 and factor.converged
        True
    """

    left: Float[Tensor, "n r"]
    pivots: Shaped[Tensor, "r d"]
    triangle: Float[Tensor, "r r"]
    error: float
    converged: bool

    @property
    def operator(self) -> LowRankOperator:
        """The matrix as an operator."""
        return LowRankOperator(self.left)

    def features(self, kernel: AbstractKernel, x: Shaped[Tensor, "m d"]) -> Float[Tensor, "m r"]:
        """The same features at other points: `K(x, pivots) triangle^-T`."""
        if not len(self.pivots):  # of a kernel that is zero
            return self.left.new_zeros(len(x), 0)
        columns = kernel(x, self.pivots)
        return torch.linalg.solve_triangular(self.triangle, columns.T, upper=False).T


def pivoted_cholesky(
    kernel: AbstractKernel, x: Shaped[Tensor, "n d"], *, tolerance: float, max_rank: int
) -> Factor:
    """Low-rank factor of `K(x, x)` from columns drawn in proportion to what is still wrong there.

    Args:
        kernel: Any kernel.
        x: Points, float64 or whole numbers.
        tolerance: Stop when the trace left out is below this share of the whole trace.
        max_rank: Columns allowed.

    Cost: `n r` kernel entries, `n r^2` multiply-adds, `n r` numbers of memory.

    Source: Harbrecht, Peters and Schneider 2012, algorithm 1, with the random pivots of Chen et al.
    2022 (arXiv:2207.06503), drawn in blocks (Epperly, Tropp and Webber 2024, arXiv:2410.03969).

    Example:
        >>> import ntkit
        >>> x = torch.linspace(0, 1, 20).double()[:, None]
        >>> kernel = ntkit.kernels.RBF(1.0)
        >>> factor = pivoted_cholesky(kernel, x, tolerance=1e-6, max_rank=20)
        >>> bool((factor.left @ factor.left.T - kernel(x)).abs().max() < 1e-4)
        True
    """
    tolerance, max_rank = positive("tolerance", tolerance), positive_int("max_rank", max_rank)
    left, chosen, error = pivoted_columns(
        kernel.diag(x), lambda pivots: kernel(x, x[pivots]), tolerance=tolerance, max_rank=max_rank
    )
    return Factor(left, x[chosen], left[chosen].tril(), error, error <= tolerance)


def pivoted_columns(
    diagonal: Float[Tensor, " n"],
    columns: Callable[[Tensor], Tensor],
    *,
    tolerance: float,
    max_rank: int,
) -> tuple[Float[Tensor, "n r"], Tensor, float]:
    """The factor of a matrix known by its diagonal and by columns of it, in the diagonal's dtype.

    Args:
        diagonal: Of the matrix.
        columns: `columns(index) -> [n, k]`.
        tolerance: As in `pivoted_cholesky`.
        max_rank: As in `pivoted_cholesky`.

    Returns:
        `left`, the pivots' indices, and the share of the trace left out.
    """
    rest = diagonal.double().clone()
    total = float(rest.sum())
    left = diagonal.new_zeros(len(rest), min(max_rank, len(rest)))
    rounding = 5 * torch.finfo(diagonal.dtype).eps * total / len(rest)
    draw = torch.Generator().manual_seed(0)  # the same points, the same pivots, on any device
    block = max(_BLOCK, left.shape[1] // 16)
    chosen: list[Tensor] = []
    k = 0
    while k < left.shape[1] and float(rest.sum()) > tolerance * total:
        # Drawn in proportion to their errors, so that they lie apart; checked again in their turn.
        wanted = min(block, left.shape[1] - k, int((rest > 0).sum()))
        drawn = torch.multinomial(rest.cpu(), wanted, generator=draw).to(rest.device)
        found = columns(drawn).addmm(left[:, :k], left[drawn, :k].T, alpha=-1)
        kept, triangle = _worthwhile(found[drawn].double(), _KEEP * rest[drawn], rounding)
        if len(kept):
            new = torch.linalg.solve_triangular(triangle.to(left), found[:, kept].T, upper=False)
            left[:, k : k + len(kept)] = new.T
            rest = (rest - (new.double() ** 2).sum(0)).clamp_min(0)
            chosen.append(drawn[kept])
            rest[chosen[-1]] = 0
            k += len(kept)
        if not len(kept) or float(rest.max()) <= rounding:
            break
    pivots = torch.cat(chosen) if chosen else rest.new_zeros(0, dtype=torch.long)
    return left[:, :k], pivots, float(rest.sum()) / total if total else 0.0


def _worthwhile(matrix: Tensor, floor: Tensor, rounding: float) -> tuple[list[int], Tensor]:
    """Pivots of a small matrix that are above `floor` in their turn, and its factor on them."""
    factor, rest, kept = torch.zeros_like(matrix), matrix.diagonal().clone(), list[int]()
    while True:
        score = torch.where((rest >= floor) & (rest > rounding), rest, torch.zeros_like(rest))
        j = int(score.argmax())
        if float(score[j]) <= 0:
            return kept, factor[kept, : len(kept)].tril()
        k = len(kept)
        column = matrix[:, j] - factor[:, :k] @ factor[j, :k]
        factor[:, k] = column / rest[j].sqrt()
        rest = rest - factor[:, k] ** 2
        rest[j] = 0
        kept.append(j)
