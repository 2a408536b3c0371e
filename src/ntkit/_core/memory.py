"""Fresh memory at less cost than torch's: the system hands it out page by page, each a fault."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["fresh", "keep_freed_memory", "numpy_dtype"]

_OF_NUMPY = {torch.float32, torch.float64}


def fresh(shape: Sequence[int], like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised tensor; numpy asks for its memory in large pages, where torch does not.

    Args:
        shape: Its shape.
        like: A tensor of its device and dtype.
        dtype: Another dtype.
    """
    kind = like.dtype if dtype is None else dtype
    if like.device.type != "cpu" or kind not in _OF_NUMPY:
        return like.new_empty(*shape, dtype=kind)
    return torch.from_numpy(np.empty(tuple(shape), numpy_dtype(kind)))


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """Numpy's name of a dtype of torch."""
    return torch.empty(0, dtype=dtype).numpy().dtype


def keep_freed_memory() -> None:
    """Have the C library hand freed memory to the next large tensor, instead of back to the system.

    glibc returns the top of its heap beyond twice the largest block that it mapped and freed, 32 MiB
    at most: one untouched block of that size is enough. Faults on fresh pages took a fifth of the
    time of kernels.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)
