"""Settings of torch that hold for the whole process, changed for a while and put back by the last user."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ntkit._core.torch_internals import COMPILER

__all__ = ["Shared", "as_written", "full_products", "plain_attention"]


class Shared:
    """A change that all threads share: made by the first that asks, undone when the last has left.

    Were each to put back what it found, one that came second would find, and leave, the change.

    Args:
        change: Makes the context manager of the change.

    Example:
        >>> double = Shared(lambda: torch.random.fork_rng(devices=[]))
        >>> with double(), double():
        ...     pass
    """

    def __init__(self, change: Callable[[], AbstractContextManager[object]]) -> None:
        self._change, self._lock = change, Lock()
        self._users, self._current = 0, ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The change, within."""
        with self._lock:
            if self._users == 0:
                self._current.enter_context(self._change())
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._current.close()


@contextmanager
def _plain_attention() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    with sdpa_kernel(SDPBackend.MATH):
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)


@contextmanager
def _full_products() -> Iterator[None]:
    precision = torch.get_float32_matmul_precision()
    if precision == "highest":
        yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


@contextmanager
def _as_written() -> Iterator[None]:
    if COMPILER not in sys.modules:  # nothing is compiled, and loading it takes a second
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


plain_attention = Shared(_plain_attention)
"""Attention by its formula: the fused kernels and the fast path lack derivatives."""
full_products = Shared(_full_products)
"""Products of float32 in float32."""
as_written = Shared(_as_written)
"""Compiled parts run as they were written."""
