"""What it costs to store and factorise a matrix, and to multiply by it tile by tile: measured here and now."""

from dataclasses import dataclass
from functools import cache
from time import perf_counter

import torch

from ntkit._core.memory import free_memory
from ntkit.operators.tiled import TiledOperator

__all__ = ["Cost", "measured"]

_PRODUCTS = 50
"""Products that preconditioned conjugate gradients take on a kernel matrix with a small ridge: the NTK
of three ReLU layers on 12,000 points was estimated to take 47 to a residual of 1e-8; not measured."""

_SAMPLE = 192
"""Points whose kernel is timed: milliseconds, and enough that calls do not count."""


@dataclass(frozen=True)
class Cost:
    """Of one linear system with a tiled operator.

    Attributes:
        n: Rows.
        entry: Seconds an entry of the kernel.
        multiply_add: Seconds a multiply-add of a factorisation.
        rank: Columns of the preconditioner.
        free: Bytes of memory that are free; None where the system does not tell.
    """

    n: int
    entry: float
    multiply_add: float
    rank: int
    free: int | None

    @property
    def stored(self) -> float:
        """Seconds by Cholesky: half of the entries once, and `n^3 / 3`."""
        return self.n**2 / 2 * self.entry + self.n**3 / 3 * self.multiply_add

    @property
    def iterated(self) -> float:
        """Seconds by conjugate gradients: half of the entries a product, and the preconditioner."""
        columns = self.n * self.rank * self.entry + self.n * self.rank**2 * self.multiply_add
        return _PRODUCTS * self.n**2 / 2 * self.entry + columns

    @property
    def n_bytes(self) -> int:
        """The matrix and its factor, float64."""
        return 16 * self.n**2

    @property
    def prefers_stored(self) -> bool:
        """Whether Cholesky is quicker, and takes at most half of what memory is free."""
        return (
            self.free is not None and 2 * self.n_bytes <= self.free and self.stored < self.iterated
        )


def measured(op: TiledOperator, rank: int) -> Cost:
    """By the kernel of a few points, and the factor of a small matrix."""
    few = op.x1[:_SAMPLE]
    op.kernel(few, few)  # what is made once is not counted
    start = perf_counter()
    op.kernel(few, few)
    entry = (perf_counter() - start) / len(few) ** 2
    return Cost(op.shape[0], entry, _multiply_add(op.device), rank, free_memory(op.device))


@cache
def _multiply_add(device: torch.device) -> float:
    n = 768
    matrix = torch.eye(n, dtype=torch.float64, device=device)
    torch.linalg.cholesky_ex(matrix)
    start = perf_counter()
    torch.linalg.cholesky_ex(matrix)[0].sum().item()
    return (perf_counter() - start) / (n**3 / 3)
