"""Numbers too small to be stored in full, and what they cost."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["flushed_denormals"]


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Numbers below 1.2e-38 count as zero inside, in the thread that calls, where the processor can.

    Some processors take far longer for them. In Adam the mean gradient of a unit that is no longer reached
    shrinks by 0.9 a step, and stays at the smallest numbers for ever, since 0.9 of four of them is rounded
    to four; no weight depends on what they are. What was set before is put back.
    """
    before = _is_flushed()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _is_flushed() -> bool:
    """Whether half of the smallest full number is zero. PyTorch can set this, and not say it."""
    return float(torch.tensor(torch.finfo(torch.float32).tiny) * 0.5) == 0
