"""The method that suits an operator."""

from dataclasses import dataclass, replace
from math import sqrt

import torch
from torch import Tensor

from ntkit.kernels.base import AbstractLagKernel
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.cholesky_method import Cholesky
from ntkit.solvers.conjugate_gradients_method import ConjugateGradients
from ntkit.solvers.cost import measured
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.preconditioners import Circulant, Nystrom, PivotedCholesky
from ntkit.solvers.solution import Solution

__all__ = ["Auto"]

_STORED = 2**28
"""Bytes up to which the matrix of a tiled operator is stored and factorised."""

_FACTOR_BYTES = 2**30
"""For the thin factor of a preconditioner."""

_SINGLE = 1e-5
"""Tolerance from which float32 products pay: a second round of them would be needed below it."""


@dataclass(frozen=True)
class Auto(AbstractMethod):
    """What suits the operator; `solution.why` says what that was.

    Grids: conjugate gradients with a circulant preconditioner. Stored matrices, and those of up to
    256 MiB: Cholesky. Larger ones, known tile by tile: Cholesky where matrix and factor take at most
    half of the memory that is free and that is quicker, by the time that a few entries and a small
    factor take; else conjugate gradients with `10 sqrt(n)` columns of pivoted Cholesky, at most
    1 GiB of them; float32 products where the tolerance is 1e-5 or more.
    Operators known by products alone: with a Nystrom sketch of rank 100.

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.eye(3).double())
        >>> ntkit.solvers.solve(K, torch.ones(3).double(), method=Auto()).method
        'cholesky'
    """

    def solve(
        self,
        operator: AbstractOperator,
        rhs: Tensor,
        *,
        ridge: float,
        tolerance: float,
        progress: bool | None,
    ) -> Solution:
        """By the method chosen; `why` begins with the reason."""
        method, why = _choose(operator, tolerance)
        found = method.solve(operator, rhs, ridge=ridge, tolerance=tolerance, progress=progress)
        return replace(found, why=f"{why}: {found.why}")


def _choose(operator: AbstractOperator, tolerance: float) -> tuple[AbstractMethod, str]:
    """What suits an operator, and why."""
    n = operator.shape[0]
    if isinstance(operator, CirculantOperator | ToeplitzOperator):
        return ConjugateGradients(Circulant()), "a grid"
    if isinstance(operator, LowRankOperator):
        return ConjugateGradients(PivotedCholesky(operator.rank)), "low rank"
    if isinstance(operator, DenseOperator):
        return Cholesky(), "the matrix is stored"
    if not isinstance(operator, TiledOperator):
        return ConjugateGradients(Nystrom(max(1, min(n // 4, 100)))), "known by products alone"
    is_elsewhere = not operator.executor.shares_memory
    if 8 * n**2 <= _STORED and not is_elsewhere:
        return Cholesky(), f"{8 * n**2 / 2**20:.0f} MiB to store"
    single = tolerance >= _SINGLE and isinstance(operator.kernel, AbstractLagKernel)
    dtype = torch.float32 if single else operator.dtype
    # Entries and multiply-adds that are a few products' worth, within the memory.
    rank = min(int(10 * sqrt(n)), _FACTOR_BYTES // (n * dtype.itemsize))
    if is_elsewhere:  # whose speed a few entries here do not tell
        return ConjugateGradients(PivotedCholesky(rank), dtype=dtype), "tiles of an executor"
    cost = measured(operator, rank)
    size = f"{8 * n**2 / 2**30:.1f} GiB"
    seconds = f"about {cost.stored:.2g} s, tile by tile {cost.iterated:.2g} s"
    if cost.prefers_stored:
        return Cholesky(), f"{size} to store, {seconds}"
    what = f"{size} are not stored ({seconds})"
    return ConjugateGradients(PivotedCholesky(rank), dtype=dtype), what
