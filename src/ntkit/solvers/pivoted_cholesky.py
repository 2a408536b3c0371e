"""A kernel matrix as a thin factor, from a few of its columns."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.low_rank import LowRankOperator

__all__ = ["Factor", "pivoted_cholesky"]

_BLOCK = 32  # pivots whose kernel columns are computed in one call


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
    """

    left: Float[Tensor, "n r"]
    pivots: Float[Tensor, "r d"]
    triangle: Float[Tensor, "r r"]
    error: float
    converged: bool

    @property
    def operator(self) -> LowRankOperator:
        """The matrix as an operator."""
        return LowRankOperator(self.left)

    def features(self, kernel: AbstractKernel, x: Float[Tensor, "m d"]) -> Float[Tensor, "m r"]:
        """The same features at other points: `K(x, pivots) triangle^-T`."""
        columns = kernel(x, self.pivots)
        return torch.linalg.solve_triangular(self.triangle, columns.T, upper=False).T


def pivoted_cholesky(
    kernel: AbstractKernel, x: Float[Tensor, "n d"], *, tolerance: float, max_rank: int
) -> Factor:
    """Low-rank factor of `K(x, x)` from columns drawn in proportion to what is still wrong there.

    Args:
        kernel: Any kernel.
        x: Points, float64.
        tolerance: Stop when the trace left out is below this share of the whole trace.
        max_rank: Columns allowed.

    Cost: `n r` kernel entries, `n r^2` multiply-adds, `n r` numbers of memory.

    Source: Harbrecht, Peters and Schneider 2012, algorithm 1, with the random pivots of Chen et al.
    2022 (arXiv:2207.06503), drawn in blocks.
    """
    positive("tolerance", tolerance)
    diagonal = kernel.diag(x).clone()
    total = float(diagonal.sum())
    left = x.new_zeros(len(x), min(max_rank, len(x)))
    rounding = 1e-15 * total / len(x)
    draw = torch.Generator(device=x.device).manual_seed(0)  # the same points, the same pivots
    chosen: list[int] = []
    while len(chosen) < left.shape[1] and float(diagonal.sum()) > tolerance * total:
        k = len(chosen)
        # Drawn in proportion to their errors, so that they lie apart; checked again in their turn.
        wanted = min(_BLOCK, left.shape[1] - k, int((diagonal > 0).sum()))
        candidates = torch.multinomial(diagonal, wanted, generator=draw)
        columns = kernel(x, x[candidates])
        floor = _KEEP * diagonal[candidates]
        while k < left.shape[1]:
            worthwhile = (diagonal[candidates] >= floor) & (diagonal[candidates] > rounding)
            if not bool(worthwhile.any()):
                break
            j = int((diagonal[candidates] * worthwhile).argmax())
            pivot = int(candidates[j])
            column = columns[:, j] - left[:, :k] @ left[pivot, :k]
            left[:, k] = column / diagonal[pivot].sqrt()
            diagonal = (diagonal - left[:, k] ** 2).clamp_min(0)
            diagonal[pivot] = 0
            chosen.append(pivot)
            k += 1
        if float(diagonal.max()) <= rounding:
            break
    left = left[:, : len(chosen)]
    triangle = left[chosen].tril()
    error = float(diagonal.sum()) / total
    return Factor(left, x[chosen], triangle, error, error <= tolerance)
