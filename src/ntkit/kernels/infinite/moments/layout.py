"""Which positions of two inputs are paired, and how tables over them lie in memory."""

from typing import Literal

from torch import Tensor

__all__ = ["Layout", "columns_last", "memory_order"]

Layout = Literal["each", "pairs"]
"""Which positions of the two inputs are paired: each with itself, or all with all."""


def columns_last(table: Tensor) -> Tensor:
    """`[1, m, ...]` with the points innermost in memory, as in the tables that it meets."""
    return table.movedim(1, -1).contiguous().movedim(-1, 1)


def memory_order(ndim: int, axes: int, copies: int) -> list[int]:
    """How the axes of a table over positions lie in memory, outermost first.

    Positions come before points, and the two copies of an axis side by side: windows then move long
    rows. The tables' own order is points, `axes` positions, and those once more if `copies` is 2.
    """
    first = ndim - axes * copies
    positions = [first + k + c * axes for k in range(axes) for c in range(copies)]
    return [*positions, *range(first)]
