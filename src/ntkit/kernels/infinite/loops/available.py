"""Whether compiled loops serve: the extra `fast`, tables in the processor's memory, and many entries."""

from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

__all__ = ["loops_for", "mirror"]

_WORTH = 2**15
"""Entries from which a call pays, and the second that the first one takes to load."""


def loops_for(entries: int, *tables: Tensor) -> Any | None:
    """The module `loops`; None where it is not installed, does not serve these tables, or torch compiles what calls it.

    Args:
        entries: Of the whole job.
        tables: What the loops would read; of one dtype, without gradients.
    """
    if torch.compiler.is_compiling() or entries < _WORTH:
        return None
    dtype = tables[0].dtype
    for table in tables:
        if table.device.type != "cpu" or table.dtype != dtype or table.requires_grad:
            return None
    return _loaded() if dtype in {torch.float32, torch.float64} else None


def mirror(matrix: Any, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    """Copy a tile of a symmetric matrix to its place below the diagonal; only where `loops_for` gave loops."""
    import_module("ntkit.kernels.infinite.loops.mirror").mirror(matrix, *rows, *columns)


@cache
def _loaded() -> Any | None:
    try:
        return import_module("ntkit.kernels.infinite.loops.entries")
    except ImportError:
        return None
