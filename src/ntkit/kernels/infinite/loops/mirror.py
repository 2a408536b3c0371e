"""The compiled loop that fills a symmetric matrix from one half of it."""

from typing import Any, no_type_check

import numba

from ntkit.kernels.infinite.loops.options import OPTIONS

__all__ = ["mirror"]

_BLOCK = 16
"""Rows and columns that are turned at a time: whole lines of the cache on either side."""


@numba.njit(**OPTIONS)
@no_type_check
def mirror(matrix: Any, row: int, row_stop: int, column: int, column_stop: int) -> None:
    """Copy a tile of a symmetric matrix to its place below the diagonal, block by block."""
    for j in range(column, column_stop, _BLOCK):
        j_stop = min(j + _BLOCK, column_stop)
        for i in range(row, row_stop, _BLOCK):
            i_stop = min(i + _BLOCK, row_stop)
            for b in range(j, j_stop):
                for a in range(i, i_stop):
                    matrix[b, a] = matrix[a, b]
