"""How a linear system is solved, as objects with their options."""

from abc import ABC
from dataclasses import dataclass

import torch

from ntkit._core.checks import positive_int, replace_fields
from ntkit.solvers.preconditioners import AbstractPreconditioner

__all__ = ["AbstractMethod", "Auto", "Cholesky", "ConjugateGradients"]


class AbstractMethod(ABC):  # noqa: B024  (one of the three below)
    """`Cholesky()`, `ConjugateGradients(...)` or `Auto()`."""


@dataclass(frozen=True)
class Auto(AbstractMethod):
    """What suits the operator; `solution.why` says what that was.

    Grids: conjugate gradients with a circulant preconditioner. Stored matrices, and those of up to
    256 MiB: Cholesky. Larger ones, known tile by tile: Cholesky where matrix and factor take at most
    half of the memory that is free and that is quicker, by the time that a few entries and a small
    factor take; else conjugate gradients with `10 sqrt(n)` columns of pivoted Cholesky, at most
    1 GiB of them; float32 products where the tolerance is 1e-5 or more.
    Operators known by products alone: with a Nystrom sketch of rank 100.
    """


@dataclass(frozen=True)
class Cholesky(AbstractMethod):
    """The dense factor, with as little jitter as it needs; `n^3 / 3` multiply-adds, `2 n^2` numbers."""


@dataclass(frozen=True)
class ConjugateGradients(AbstractMethod):
    """One product an iteration.

    Args:
        preconditioner: `PivotedCholesky(rank)`, `Nystrom(rank)`, `Circulant()`, or none.
        max_iterations: Products allowed.
        dtype: Precision of the products; the operator's if left out. In float32, of tiled operators
            the kernel is that of the points in float32, and what is reached is checked, and refined,
            in the operator's own precision.

    Example:
        >>> ConjugateGradients(max_iterations=50)
        ConjugateGradients(preconditioner=None, max_iterations=50, dtype=None)
    """

    preconditioner: AbstractPreconditioner | None = None
    max_iterations: int = 1000
    dtype: torch.dtype | None = None

    def __post_init__(self) -> None:
        replace_fields(self, max_iterations=positive_int("max_iterations", self.max_iterations))
