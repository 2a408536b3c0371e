"""Where a Gram matrix is written: fresh memory, or a tensor or an array of the caller's."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ntkit._core.memory import fresh
from ntkit._core.whole_files import shown

__all__ = ["Out", "result_memory"]

Out = Tensor | np.ndarray | str | Path
"""A tensor or an array to write into, or the path of a `.zarr` folder to make."""


def result_memory(out: Out | None, shape: Sequence[int], like: Tensor) -> Tensor:
    """The tensor to write into; of an array the one in the same memory, so that what is written is seen in it.

    Args:
        out: A tensor, an array, or None for fresh memory.
        shape: Of the result.
        like: A tensor of its dtype, on its device.

    Raises:
        TypeError: It is none of these.
        ValueError: It does not fit, or is the path of another file than a Zarr array.
    """
    if out is None:
        return fresh(shape, like)
    if isinstance(out, str | os.PathLike):
        raise ValueError(
            f"`out={shown(out)!r}` must end in .zarr: a matrix on disk is a Zarr array (`pip install "
            "'ntkit[cluster]'`). Without Zarr, write into an array of your own, such as one of "
            "`numpy.lib.format.open_memmap`."
        )
    found = _shared(out) if isinstance(out, np.ndarray) else out
    if not isinstance(found, Tensor):
        raise TypeError(
            f"`out` must be a tensor, an array or the path of a .zarr folder, got {type(out).__name__}. Pass "
            f"`out=torch.empty({tuple(shape)}, dtype={like.dtype})`."
        )
    _check(found, shape, like)
    return found


def _shared(out: np.ndarray) -> Tensor:
    """The array as a tensor.

    Raises:
        ValueError: It may not be written to, or its layout has no tensor.
    """
    if not out.flags.writeable:
        raise ValueError("`out` is an array that may not be written to. Pass a copy of it.")
    try:
        return torch.from_numpy(out)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`out` is an array that no tensor can share: {error}") from error


def _check(out: Tensor, shape: Sequence[int], like: Tensor) -> None:
    if tuple(out.shape) != tuple(shape):
        raise ValueError(
            f"`out` has shape {tuple(out.shape)}, and the result {tuple(shape)}. "
            f"Pass `out=torch.empty({tuple(shape)}, dtype={like.dtype})`."
        )
    if out.dtype != like.dtype or out.device != like.device:
        raise ValueError(
            f"`out` is {out.dtype} on {out.device}, and the result {like.dtype} on {like.device}, as "
            "the points are. Pass one like them."
        )
    if out.requires_grad:
        raise ValueError("`out` asks for gradients, and is overwritten. Pass `out.detach()`.")
