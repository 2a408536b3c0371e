"""Settings of torch that hold for the whole process, changed for a while and put back by the last user."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from ntkit._core.torch_internals import COMPILER

__all__ = ["Shared", "as_written", "full_products", "plain_attention"]


_NAME = "fp32_precision"
"""Of the precision of products, since torch 2.9."""


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
    backends: Any = torch.backends
    named: list[Any] = []
    if hasattr(backends.cuda.matmul, _NAME):
        named = [backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn]
        named += [backends.mkldnn.matmul, backends.mkldnn.conv]
    found = [getattr(part, _NAME) for part in named]
    products = _asked(torch.get_float32_matmul_precision)
    convolutions = _asked(lambda: backends.cudnn.allow_tf32)
    try:
        # The old words set the new ones too; where the two disagree, cuBLAS refuses to multiply.
        torch.set_float32_matmul_precision("highest")
        backends.cudnn.allow_tf32 = False
        yield
    finally:
        if products is not None:
            torch.set_float32_matmul_precision(products)
        if convolutions is not None:
            backends.cudnn.allow_tf32 = convolutions
        for part, before in zip(named, found, strict=True):
            setattr(part, _NAME, before)


def _asked(question: Callable[[], Any]) -> Any:
    """The answer; None where torch has none, as the user has set it by its newer name."""
    try:
        return question()
    except RuntimeError:
        return None


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
"""Products and convolutions of float32 in float32: TF32 keeps 10 bits of each factor."""
as_written = Shared(_as_written)
"""Compiled parts run as they were written."""
