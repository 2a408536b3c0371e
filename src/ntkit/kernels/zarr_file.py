"""The chunks of a matrix in a Zarr array: computed, written whole, and found again."""

import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import torch
from torch import Tensor

from ntkit._core.fingerprint import of_tensors
from ntkit._core.memory import numpy_dtype
from ntkit._core.whole_files import shown
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.kernel_mark import kernel_mark

if TYPE_CHECKING:
    import zarr

__all__ = ["ChunkWriter", "Points"]

_STALE = 3600.0
"""Seconds after which a temporary file belongs to no writer any more; a chunk takes far less."""

_CHECKSUM = 4
"""Bytes of the CRC-32C at the end of each chunk."""

Points = Tensor | tuple[Tensor, ...]
Place = tuple[int, int]
Source = tuple[Callable[..., Any], Points, Points | None]
"""A kernel and the points of rows and columns."""


@dataclass(frozen=True)
class ChunkWriter:
    """Computes chunks of one matrix and writes them; it may be sent to another process.

    Attributes:
        path: Of the array.
        shape: Of the array.
        chunks: Of a chunk.
        dtype: Of its numbers, as numpy spells it.
        is_symmetric: Whether a chunk above the diagonal is written below it, too.
        mark: What the array is of.
        options: For the kernel.
    """

    path: Path
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    is_symmetric: bool
    mark: dict[str, str]
    options: dict[str, Any]

    @classmethod
    def of(
        cls,
        kernel: AbstractKernel,
        x1: Points,
        x2: Points | None,
        path: Path,
        chunk: int,
        options: Mapping[str, Any],
    ) -> "ChunkWriter":
        """The writer of a kernel's matrix.

        Raises:
            ValueError: The path does not end in .zarr, or there is not one matrix of plain numbers.
        """
        if path.suffix != ".zarr":
            raise ValueError(f"`path={shown(path)!r}` must end in .zarr.")
        columns = x1 if x2 is None else x2
        n, m = _count("x1", x1), _count("x2", columns)
        values: Any = kernel  # whose points may be tuples of tensors
        first = values(_rows(x1, 0, 1), _rows(columns, 0, 1))
        if not isinstance(first, Tensor):
            raise ValueError(
                f"`{kernel!r}` gives {len(first)} matrices, and an array holds one. Return one output."
            )
        sides = [("x1", x1), *([] if x2 is None else [("x2", x2)])]
        named = [
            (f"{side}[{k}]", t)
            for side, points in sides
            for k, t in enumerate(points if isinstance(points, tuple) else (points,))
        ]
        mark = {
            "kernel": kernel_mark(kernel),
            "points": of_tensors(named),
            "ntkit": version("ntkit"),
            "torch": torch.__version__,
        }
        return cls(
            path.absolute(),
            (n, m, *first.shape[2:]),
            (min(chunk, n), min(chunk, m), *first.shape[2:]),
            str(numpy_dtype(first.dtype)),
            x2 is None and first.ndim == 2,
            mark,
            dict(options),
        )

    @classmethod
    def found(cls, path: Path) -> "ChunkWriter":
        """The writer of an array that is there."""
        array = _zarr().open_array(path, mode="r")
        mark = dict(array.attrs.get("ntkit", {}))
        return cls(path.absolute(), array.shape, array.chunks, str(array.dtype), False, mark, {})

    def array(self, mode: str) -> "zarr.Array[Any]":
        """The array."""
        return _zarr().open_array(self.path, mode=mode)

    def open(self) -> None:
        """Make the array, or look whether the one that is there is the same.

        Raises:
            ValueError: It is another one.
        """
        _remove_stale(self.path)
        if not self._description.is_file():
            self._make()
        array = self.array("r")
        found = array.attrs.get("ntkit")
        if not isinstance(found, dict):
            raise ValueError(
                f"`{shown(self.path)}` is a Zarr array of something else. Choose another path."
            )
        here = {**self.mark, "shape": self.shape, "chunks": self.chunks, "dtype": self.dtype}
        there = {**found, "shape": array.shape, "chunks": array.chunks, "dtype": str(array.dtype)}
        for name, value in here.items():
            if there.get(name) != value:
                raise ValueError(
                    f"`{shown(self.path)}` holds another matrix: its {name} is {there.get(name)}, and here it is "
                    f"{value}. Choose another path, or remove it."
                )

    def places(self) -> Iterable[Place]:
        """The chunks to compute: those below the diagonal of a symmetric matrix come with those above."""
        rows, columns = self._counts[:2]
        for i in range(rows):
            for j in range(i if self.is_symmetric else 0, columns):
                yield i, j

    def grid(self) -> Iterable[tuple[int, ...]]:
        """All chunks."""
        return itertools.product(*map(range, self._counts))

    def has(self, place: Place) -> bool:
        """Whether a chunk and its mirror image are there."""
        return all(self.is_whole(self._index(at)) for at in self._both(place))

    def is_whole(self, index: tuple[int, ...]) -> bool:
        """Whether a file of a chunk's size is there; the size differs where the machine lost power."""
        file = self._file(index)
        n_bytes = np.dtype(self.dtype).itemsize * int(np.prod(self.chunks)) + _CHECKSUM
        try:
            return file.stat().st_size == n_bytes
        except (FileNotFoundError, NotADirectoryError):
            return False

    def check(self, place: Place, shared: Source) -> None:
        """Compute a chunk again unless its checksum and that of its mirror image hold."""
        array = self.array("r")
        for at in self._both(place):
            try:
                if self.is_whole(self._index(at)):
                    array.get_block_selection(at)
                    continue
            except ValueError:  # the checksum
                pass
            self.fill(place, shared)
            return

    def __call__(self, place: Place, shared: Source) -> None:
        """Compute a chunk and write it, unless another writer was quicker."""
        if not self.has(place):
            self.fill(place, shared)

    def fill(self, place: Place, shared: Source) -> None:
        """Compute a chunk and write it."""
        kernel, x1, x2 = shared
        (i, j), (height, width) = place, self.chunks[:2]
        rows = _rows(x1, i * height, (i + 1) * height)
        columns = None
        if x2 is not None or i != j:
            columns = _rows(x1 if x2 is None else x2, j * width, (j + 1) * width)
        with torch.no_grad():
            found = kernel(rows, columns, **self.options).cpu().numpy()
        self._write((i, j), found)
        if self.is_symmetric and i != j:
            self._write((j, i), found.T)

    def _write(self, at: Place, values: np.ndarray) -> None:
        """Write a chunk, unless the array was replaced by that of another matrix.

        Raises:
            OSError: There is no room, or no right to write.
        """
        try:
            before = self._description.read_bytes()
            self._same(before)
            self.array("r+").set_block_selection(at, values)
            if self._description.read_bytes() != before:
                self._file(self._index(at)).unlink(missing_ok=True)
                self._same(b"{}")
        except OSError as error:
            raise OSError(
                error.errno,
                f"chunk {at} of `{shown(self.path)}` could not be written: {error.strerror or error}. The chunks "
                "that are there are whole; make room and run the same again",
            ) from None

    def _same(self, description: bytes) -> None:
        """Refuse the description of another matrix.

        Raises:
            ValueError: It is one.
        """
        found = json.loads(description).get("attributes", {}).get("ntkit")
        if found != self.mark:
            raise ValueError(
                f"`{shown(self.path)}` was replaced by the array of another matrix while this one was written. "
                "Write to another path."
            )

    def _make(self) -> None:
        """Make the empty array under a temporary name, and give it its own: of two writers one succeeds.

        Raises:
            OSError: It cannot be made.
        """
        zarr = _zarr()
        codecs = import_module("zarr.codecs")
        part = self.path.with_name(f".{self.path.name}.{uuid4().hex}.part")
        try:
            zarr.create_array(
                part,
                shape=self.shape,
                chunks=self.chunks,
                dtype=self.dtype,
                compressors=[codecs.Crc32cCodec()],
                fill_value=float("nan"),
                attributes={"ntkit": self.mark},
                zarr_format=3,
            )
            part.rename(self.path)
        except OSError as error:
            if not self._description.is_file():  # else another writer was first
                raise OSError(
                    error.errno,
                    f"`{shown(self.path)}` cannot be made: {error.strerror or error}. Pass a path in an existing "
                    "folder that you may write to",
                ) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)

    @property
    def _description(self) -> Path:
        return self.path / "zarr.json"

    @property
    def _counts(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return tuple(-(-n // c) for n, c in zip(self.shape, self.chunks, strict=True))

    def _both(self, place: Place) -> Sequence[Place]:
        i, j = place
        return [(i, j), (j, i)] if self.is_symmetric and i != j else [(i, j)]

    def _index(self, place: Place) -> tuple[int, ...]:
        return (*place, *[0] * (len(self.shape) - 2))

    def _file(self, index: tuple[int, ...]) -> Path:
        """Where Zarr keeps a chunk (version 3 of its format, default keys)."""
        return self.path.joinpath("c", *map(str, index))


def _zarr() -> Any:
    """Zarr, loaded when it is asked for.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "A matrix in a `.zarr` folder needs Zarr: `pip install 'ntkit[cluster]'`.", name="zarr"
        ) from error
    return zarr


def _count(name: str, points: Points) -> int:
    """How many points there are.

    Raises:
        ValueError: There is none.
        TypeError: They are no tensors.
    """
    first = points[0] if isinstance(points, tuple) and points else points
    if not isinstance(first, Tensor):
        raise TypeError(f"`{name}` must be a tensor [n, ...], got {type(first).__name__}.")
    if not first.ndim or not len(first):
        raise ValueError(f"`{name}` must be points [n, ...], got shape {tuple(first.shape)}.")
    return len(first)


def _rows(points: Points, start: int, stop: int) -> Points:
    return (
        points[start:stop] if isinstance(points, Tensor) else tuple(t[start:stop] for t in points)
    )


def _remove_stale(path: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    left = itertools.chain(path.glob("c/*/**/*.partial"), path.parent.glob(f".{path.name}.*.part"))
    for file in left:
        try:
            if time.time() - file.stat().st_mtime > _STALE:
                shutil.rmtree(file) if file.is_dir() else file.unlink()
        except FileNotFoundError:  # another process was first
            continue
