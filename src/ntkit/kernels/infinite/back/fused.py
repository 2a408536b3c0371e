"""Functions of tables that torch compiles into one pass over memory, on a GPU; elsewhere they run as they are written.

An operation by itself reads and writes its whole table, and on a GPU the memory is what is slow.
"""

import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

__all__ = ["Fused", "is_worth_fusing"]

_WORTH = 2**20
"""Entries of a table from which one pass pays: compiled code is called through checks that take some 50 microseconds."""

_LOG = logging.getLogger(__name__)


class Fused:
    """A function, compiled when it first meets a large table on a GPU.

    Compiled once, or twice where a square table comes first, and for tables of any size after that. Where torch cannot
    compile (no Triton, no C compiler for what launches it, an old card), the log says so once, and the function runs as
    it is written: the same digits up to rounding.

    Args:
        function: Of tensors, without a choice that depends on their numbers, and without gradients.

    Example:
        >>> square = Fused(lambda table: table * table)
        >>> square(torch.tensor([2.0, 3.0]))
        tensor([4., 9.])
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._compiled: Callable[..., Any] | None = None
        self._has_failed = False

    def __call__(self, *tables: Tensor) -> Any:
        """What the function returns; the first table decides.

        Raises:
            torch.OutOfMemoryError: The GPU's memory does not hold what it returns.
        """
        if self._has_failed or not is_worth_fusing(tables[0]):
            return self.function(*tables)
        if self._compiled is None:
            self._compiled = _compiled(self.function)
        try:
            return self._compiled(*tables)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ImportError, OSError, AssertionError) as error:
            _LOG.info("Not compiled: %s", " ".join(str(error).splitlines()[:2]))
            self._has_failed, self._compiled = True, None
            return self.function(*tables)

    def __reduce__(self) -> Any:
        return Fused, (self.function,)


def is_worth_fusing(table: Tensor) -> bool:
    """Whether it is large, on a device that torch compiles for, and nothing else compiles what calls this."""
    if table.device.type != "cuda" or table.numel() < _WORTH:
        return False
    return _has_triton() and not torch.compiler.is_compiling()


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*tables: Tensor) -> Any:
        return function(*tables)

    # Torch gives up a function that it has compiled eight times, and tells functions by their code: each gets its own.
    code = call.__code__.replace()
    own = FunctionType(code, call.__globals__, call.__name__, None, call.__closure__)
    return torch.compile(own, fullgraph=True, dynamic=True)
