"""A Gram matrix as a Zarr array on disk, chunk by chunk, for matrices that no memory holds."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from tqdm import tqdm

from ntkit._core.checks import positive_int
from ntkit._core.executor import Executor, Threads, check_executor
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.zarr_file import ChunkWriter, Points

if TYPE_CHECKING:
    import zarr

__all__ = ["CHUNK", "is_zarr", "missing_chunks", "write_gram"]

CHUNK = 2048
"""Rows and columns of a chunk: 32 MiB of float64. Smaller ones make many files, larger ones lose more work
when a process is killed."""

_ONE = Threads()


def write_gram(
    kernel: AbstractKernel,
    x1: Points,
    x2: Points | None = None,
    *,
    path: str | Path,
    part: tuple[int, int] = (1, 1),
    chunk: int = CHUNK,
    verify: bool = False,
    executor: Executor = _ONE,
    progress: bool | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> "zarr.Array[Any]":
    """The matrix of `x1` against `x2` in the Zarr array at `path`; what is there already stays.

    Call it again after a process was killed, and it computes the chunks that are missing. Several
    processes may write to one array. A chunk appears whole or not at all, ends with a checksum (CRC-32C,
    which every reader of Zarr checks), and is uncompressed. The array notes which kernel, points and
    versions of ntkit and torch it is of, and others are refused. A chunk that is missing reads as NaN.

    Args:
        kernel: Any kernel.
        x1: Points of the rows: a tensor, or what the kernel takes.
        x2: Points of the columns; `x1` if left out. Then each pair of points is computed once.
        path: A folder that ends in `.zarr`.
        part: `(i, N)`: compute the i-th of N shares, counted from 1. The shares are of equal size, and
            may be computed at the same time.
        chunk: Rows and columns of a chunk.
        verify: Read the chunks that are there, and compute those again that are damaged.
        executor: Where chunks are computed; those elsewhere must see the same folder.
        progress: Whether to show a bar; left out, work of more than two seconds shows one at a terminal.
        options: Keyword arguments that the kernel takes, such as `memory` of one of infinite width.

    Returns:
        The array, opened for reading.

    An array of another kernel, other points or another version is a `ValueError`. Where there is no room left an
    `OSError` says so, and the chunks that are there stay. Needs Zarr (`pip install "ntkit[cluster]"`).

    Cost: `n m` kernel entries (half of that for the same points), `n m` numbers on disk, one chunk of memory for each
    call that runs at a time. Kernels with positions or several outputs, whose matrices have more than two axes,
    compute both halves.

    Example:
        >>> import tempfile, torch
        >>> from ntkit.kernels import RBF
        >>> x = torch.rand(50, 3, dtype=torch.float64)
        >>> matrix = write_gram(RBF(0.5), x, path=tempfile.mkdtemp() + "/K.zarr")
        >>> torch.allclose(torch.from_numpy(matrix[:]), RBF(0.5)(x))
        True
    """
    if x2 is x1:
        x2 = None
    check_executor(executor)
    share, of = _share(part)
    with torch.no_grad():
        work = ChunkWriter.of(kernel, x1, x2, Path(path), positive_int("chunk", chunk), options)
        work.open()
        places = list(itertools.islice(work.places(), share - 1, None, of))
        wanted = [place for place in places if verify or not work.has(place)]
        shared = executor.share((kernel, x1, x2))
        with tqdm(
            total=len(places),
            initial=len(places) - len(wanted),
            unit="chunk",
            desc="kernel",
            delay=2.0 if progress is None else 0.0,
            disable=None if progress is None else not progress,
        ) as bar:
            for _ in executor.map(work.check if verify else work, wanted, shared):
                bar.update()
    return work.array("r")


def is_zarr(out: object) -> TypeGuard[str | Path]:
    """Whether `out` names a Zarr array."""
    return isinstance(out, str | Path) and Path(out).suffix == ".zarr"


def missing_chunks(path: str | Path) -> tuple[int, int]:
    """Chunks of an array that `write_gram` began which are not there yet, and chunks in all.

    Example:
        >>> import tempfile, torch
        >>> from ntkit.kernels import RBF
        >>> path = tempfile.mkdtemp() + "/K.zarr"
        >>> _ = write_gram(RBF(0.5), torch.rand(50, 3), path=path)
        >>> missing_chunks(path)[0]
        0
    """
    work = ChunkWriter.found(Path(path))
    every = list(work.grid())
    return sum(not work.is_whole(index) for index in every), len(every)


def _share(part: tuple[int, int]) -> tuple[int, int]:
    """The share asked for, and of how many.

    Raises:
        ValueError: There is no such share.
    """
    share, of = part
    if not 1 <= share <= of:
        raise ValueError(f"`part={share}/{of}`: shares count from 1, as in 1/{max(of, 1)}.")
    return share, of
