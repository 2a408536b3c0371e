"""Where a Gram matrix is written: fresh memory, a tensor of the caller's, or a file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ntkit._core.memory import fresh, numpy_dtype

__all__ = ["Out", "opened"]

Out = Tensor | np.ndarray | str | Path
"""A tensor or an array to write into, or the path of an `.npy` file to make."""


@contextmanager
def opened(out: Out | None, shape: Sequence[int], like: Tensor) -> Iterator[Tensor]:
    """The tensor to write into.

    A file is written under a temporary name beside the one asked for and renamed once it is whole;
    if the writing stops before, nothing is left.

    Args:
        out: A tensor, a path, or None for fresh memory.
        shape: Of the result.
        like: A tensor of its dtype, on its device.

    Raises:
        TypeError: It is none of these.
        ValueError: The tensor does not fit, or the path is no `.npy` file.
    """
    if out is None:
        yield fresh(shape, like)
    elif isinstance(
        out, np.ndarray
    ):  # the same memory, so that what is written is seen in the array
        table = _shared(out)
        _check(table, shape, like)
        yield table
    elif isinstance(out, Tensor):
        _check(out, shape, like)
        yield out
    else:
        if not isinstance(out, str | os.PathLike):
            raise TypeError(
                f"`out` must be a tensor, an array or the path of an .npy file, got "
                f"{type(out).__name__}. Pass `out=torch.empty({tuple(shape)}, dtype={like.dtype})`."
            )
        path = Path(out)
        if path.suffix != ".npy":
            raise ValueError(f"`out={str(out)!r}` must be a tensor or the path of an .npy file.")
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            yield _reserved(path, part, shape, like)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


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


def _reserved(path: Path, part: Path, shape: Sequence[int], like: Tensor) -> Tensor:
    """The file, mapped into memory, with its place on the disk taken: writing cannot fail any more.

    Raises:
        IsADirectoryError: A folder is in its place; other reasons raise the system's own errors.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "it is a folder")
        table = np.lib.format.open_memmap(part, "w+", numpy_dtype(like.dtype), tuple(shape))
        if hasattr(os, "posix_fallocate"):
            with part.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, part.stat().st_size)
    except OSError as error:
        raise type(error)(
            f"`out={str(path)!r}` cannot be written: {error.strerror}. Pass a path in an existing "
            "folder that you may write to, with room for the matrix."
        ) from None
    return torch.from_numpy(table)
