"""Memory of the system: fresh at less cost than torch's, kept where it comes and goes, and given back."""

import ctypes
import gc
import os
import sys
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["free_memory", "fresh", "give_back_freed_memory", "keep_freed_memory", "numpy_dtype"]


def fresh(shape: Sequence[int], like: Tensor) -> Tensor:
    """An uninitialised tensor; numpy asks for its memory in large pages, where torch does not.

    For results that stay: memory that comes and goes is faster from the heap of the C library.
    """
    if like.device.type != "cpu":
        return like.new_empty(*shape)
    return torch.from_numpy(np.empty(tuple(shape), numpy_dtype(like.dtype)))


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """Numpy's name of a dtype of torch."""
    return torch.empty(0, dtype=dtype).numpy().dtype


def free_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no such name here
        return None


@cache
def keep_freed_memory() -> None:
    """Have the C library hand freed memory to the next large tensor, instead of back to the system.

    Once for the process.

    glibc returns the top of its heap beyond twice the largest block that it mapped and freed, 32 MiB
    at most: one untouched block of that size is enough. Faults on fresh pages took a fifth of the
    time of kernels.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def give_back_freed_memory() -> None:
    """Have the C library hand what was freed back to the system, of all threads; some milliseconds.

    For a process that lives on after long work. Where the C library is not glibc, it keeps what it keeps.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
