"""Where a Gram matrix is written: fresh memory, a tensor of the caller's, or a file."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ntkit._core.memory import fresh, numpy_dtype

__all__ = ["Out", "opened"]

Out = Tensor | np.ndarray | str | Path
"""A tensor or an array to write into, or the path of an `.npy` file or a `.zarr` folder to make."""


@contextmanager
def opened(out: Out | None, shape: Sequence[int], like: Tensor) -> Iterator[Tensor]:
    """The tensor to write into.

    A file has no name until it is whole, where the system has such files: whatever ends the process
    before, nothing is left. Elsewhere it has a temporary name beside the one asked for, which is
    removed when the writing stops; what a process left that was killed, the next one removes that
    writes to the same name.

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
            raise ValueError(f"`out={str(out)!r}` must be a tensor, or end in .npy or .zarr.")
        part = _part(path, os.getpid())
        _remove_left(path)
        unnamed = _unnamed(path.parent)
        place = part if unnamed is None else Path(f"/proc/self/fd/{unnamed}")
        try:
            yield _reserved(path, place, shape, like)
            if unnamed is not None:
                # With a folder's descriptor, which an absolute path ignores, links are followed.
                os.link(place, part, src_dir_fd=unnamed, follow_symlinks=True)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
            if unnamed is not None:
                os.close(unnamed)


def _part(path: Path, process: int | str) -> Path:
    """The temporary name of a process of this machine: others may share the folder."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{process}.part")


def _remove_left(path: Path) -> None:
    """Remove what processes of this machine left that were killed while they wrote to that name."""
    prefix, suffix = _part(path, "*").name.split("*")
    for left in path.parent.glob(".*.part") if path.parent.is_dir() else ():
        process = left.name.removeprefix(prefix).removesuffix(suffix)
        if left.name == _part(path, process).name and process.isdigit() and _ended(int(process)):
            left.unlink(missing_ok=True)


def _ended(process: int) -> bool:
    """Whether there is no such process any more; asked where that kills none (not on Windows)."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _unnamed(folder: Path) -> int | None:
    """The descriptor of a file without a name in a folder; None where the system has none."""
    if not hasattr(os, "O_TMPFILE") or not Path("/proc/self/fd").is_dir():
        return None
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError:
        return None


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
