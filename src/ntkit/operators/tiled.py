"""A matrix computed tile by tile and never stored."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import isqrt
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.chunk_sizes import OPERATOR_TILE
from ntkit._core.executor import Executor, Threads
from ntkit.operators.base import AbstractOperator

__all__ = ["TiledOperator"]

_TOGETHER = 64
"""Points whose kernel is computed to have that of each with itself."""

_RUN = 32
"""Tiles of a row that are one piece of work: what it returns is small beside what it computes, and a million
points still make thousands of pieces."""

_HERE = Threads()

Kernel = Callable[[Tensor, Tensor], Tensor]
Source = tuple[Kernel, Tensor, Tensor | None]
"""A kernel, row points, and column points where they are others."""


class TiledOperator(AbstractOperator):
    """`K[i, j] = kernel(x1[i], x2[j])`, recomputed in tiles at each product.

    Args:
        kernel: `kernel(x1, x2) -> [n, m]`, symmetric in its arguments.
        x1: Row points.
        x2: Column points; where they are the same, tiles below the diagonal are those above.
        dtype: Precision of the products.
        tile_bytes: Memory for one tile of the matrix; 8 MiB on a processor and up to 1 GiB on a GPU if left out.
        executor: Where tiles are computed; each of its places takes up to 32 of a row at a time. Where it shares no
            memory with this process there are no gradients.

    Cost: `n * m` kernel entries a product (half of that for the same points), `tile_bytes` of memory in each place.

    Example:
        >>> import torch
        >>> x = torch.arange(3.0)[:, None]
        >>> TiledOperator(lambda a, b: a @ b.T, x, x) @ torch.ones(3)
        tensor([0., 3., 6.], dtype=torch.float64)
    """

    def __init__(
        self,
        kernel: Kernel,
        x1: Shaped[Tensor, "n ..."],
        x2: Shaped[Tensor, "m ..."],
        *,
        dtype: torch.dtype = torch.float64,
        tile_bytes: int | None = None,
        executor: Executor = _HERE,
    ) -> None:
        self.kernel = kernel
        self.x1 = x1
        self.x2 = x2
        self.shape: tuple[int, int] = (len(x1), len(x2))
        self.dtype = dtype
        self.device: torch.device = x1.device
        self.kind = "tiled"
        self.is_symmetric: bool = x1 is x2 or (x1.shape == x2.shape and torch.equal(x1, x2))
        self.executor = executor
        place = getattr(executor, "device", None) or x1.device
        self._tile_bytes: int = tile_bytes or OPERATOR_TILE.on(place)

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product: tiles computed in any place, summed here in one order."""
        self._refuse_gradients(v)
        out = v.new_zeros(len(v), self.shape[0], dtype=self.dtype)
        runs = list(self._runs(_RUN))
        multiply = _Multiply(self._sides[1], self.dtype)
        vectors = self.executor.share(v)
        done = self.executor.map(multiply, runs, self._shared, vectors)
        for run, (own, mirrored) in zip(runs, done, strict=True):
            out[:, run.start : run.stop] += own
            if mirrored is not None:
                out[:, max(run.first, run.stop) : run.last] += mirrored
        return out

    def dense(self) -> Float[Tensor, "n m"]:
        """Every entry once, tile by tile; below the diagonal of the same points those above it."""
        out = torch.empty(self.shape, dtype=self.dtype, device=self.device)
        tiles = list(self._runs(1))
        done = self.executor.map(_Entries(self.dtype), tiles, self._shared)
        for at, tile in zip(tiles, done, strict=True):
            rows, columns = slice(at.start, at.stop), slice(at.first, at.last)
            if self.is_symmetric and at.first == at.start:
                tile = tile.triu() + tile.triu(1).T  # to the last bit
            out[rows, columns] = tile
            if self.is_symmetric and at.first > at.start:
                out[columns, rows] = tile.T
        return out

    def columns(self, index: Tensor) -> Float[Tensor, "n k"]:
        """Those columns of the matrix."""
        n, height = self.shape[0], max(1, self._tile_bytes // (8 * max(1, len(index))))
        parts = [(i, min(n, i + height)) for i in range(0, n, height)]
        chosen = self.executor.share(index)
        return torch.cat([*self.executor.map(_Columns(self.dtype), parts, self._shared, chosen)])

    def rows_at(self, v: Float[Tensor, "c m"], index: Tensor) -> Float[Tensor, "c k"]:
        """Those entries of the product, of `k m` of the matrix: tiles computed in any place, summed here in one order."""
        self._refuse_gradients(v)
        m, width = self.shape[1], max(1, self._tile_bytes // (8 * max(1, len(index))))
        parts = [(j, min(m, j + _RUN * width)) for j in range(0, m, _RUN * width)]
        out = v.new_zeros(len(v), len(index), dtype=self.dtype)
        chosen = self.executor.share((index, v))
        for part in self.executor.map(_At(width, self.dtype), parts, self._shared, chosen):
            out += part
        return out

    def block(self, index: Tensor) -> Float[Tensor, "k k"]:
        """Those rows of those columns."""
        return self.kernel(self.x1[index], self.x2[index]).to(self.dtype)

    def diagonal(self) -> Float[Tensor, " n"]:
        """Entries `[i, i]`, from small blocks on the diagonal."""
        blocks = zip(self.x1.split(_TOGETHER), self.x2.split(_TOGETHER), strict=True)
        return torch.cat([self.kernel(a, b).diagonal() for a, b in blocks]).to(self.dtype)

    def to(self, dtype: torch.dtype) -> "TiledOperator":
        """The same kernel and points; tiles are cast to another precision."""
        made = self._with(self.x1, self.x2, dtype)
        vars(made)["_shared"] = self._shared  # sent once
        return made

    def of_points_in(self, dtype: torch.dtype) -> "TiledOperator":
        """The kernel of the points in another precision, for kernels whose values follow the points'."""
        x1 = self.x1.to(dtype)
        return self._with(x1, x1 if self.is_symmetric else self.x2.to(dtype), dtype)

    def _with(self, x1: Tensor, x2: Tensor, dtype: torch.dtype) -> "TiledOperator":
        return TiledOperator(
            self.kernel,
            x1,
            x2,
            dtype=dtype,
            tile_bytes=self._tile_bytes,
            executor=self.executor,
        )

    @cached_property
    def _shared(self) -> Any:
        """The source, as the executor hands it to its places; they keep it."""
        source: Source = (self.kernel, self.x1, None if self.is_symmetric else self.x2)
        return self.executor.share(source)

    @property
    def _sides(self) -> tuple[int, int]:
        """Rows and columns of a tile; square ones of a symmetric matrix."""
        side = max(1, isqrt(self._tile_bytes // 8))
        width = max(1, min(self.shape[1], side))
        return side if self.is_symmetric else max(1, self._tile_bytes // (8 * width)), width

    def _runs(self, length: int) -> Iterator["_TileRun"]:
        """All tiles, up to `length` of a row together; of a symmetric matrix those from the diagonal on."""
        n, m = self.shape
        height, width = self._sides
        for i in range(0, n, height):
            for j in range(i if self.is_symmetric else 0, m, length * width):
                yield _TileRun(i, min(n, i + height), j, min(m, j + length * width))

    def _refuse_gradients(self, v: Tensor) -> None:
        """Refuse to lose gradients without a word.

        Raises:
            ValueError: They are wanted, and tiles are computed elsewhere.
        """
        if self.executor.shares_memory or not torch.is_grad_enabled():
            return
        if v.requires_grad or self.kernel(self.x1[:1], self.x2[:1]).requires_grad:
            raise ValueError(
                f"Gradients of a product were asked for, and its tiles are computed by {self.executor!r}, "
                "from where none come back. Leave `executor` out, or work under `torch.no_grad()`."
            )


@dataclass(frozen=True)
class _TileRun:
    """Tiles side by side: rows `start` to `stop`, columns `first` to `last`."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class _Multiply:
    """A run's share of the product: that of its rows, and, by symmetry, that of the rows of its columns."""

    width: int
    dtype: torch.dtype

    def __call__(self, run: _TileRun, source: Source, v: Tensor) -> tuple[Tensor, Tensor | None]:
        kernel, x1, x2 = source
        left = x1[run.start : run.stop]
        own = v.new_zeros(len(v), len(left), dtype=self.dtype)
        mirrored: list[Tensor] = []
        for j in range(run.first, run.last, self.width):
            columns = slice(j, min(run.last, j + self.width))
            is_diagonal = x2 is None and j == run.start
            right = left if is_diagonal else (x1 if x2 is None else x2)[columns]
            tile = kernel(left, right).to(self.dtype)
            own += v[:, columns] @ tile.T
            if x2 is None and not is_diagonal:
                mirrored.append(v[:, run.start : run.stop] @ tile)
        return own, torch.cat(mirrored, 1) if mirrored else None


@dataclass(frozen=True)
class _Entries:
    """One tile."""

    dtype: torch.dtype

    def __call__(self, at: _TileRun, source: Source) -> Tensor:
        kernel, x1, x2 = source
        left = x1[at.start : at.stop]
        is_diagonal = x2 is None and at.first == at.start
        right = left if is_diagonal else (x1 if x2 is None else x2)[at.first : at.last]
        return kernel(left, right).to(self.dtype)


@dataclass(frozen=True)
class _Columns:
    """Some rows of some columns."""

    dtype: torch.dtype

    def __call__(self, part: tuple[int, int], source: Source, index: Tensor) -> Tensor:
        kernel, x1, x2 = source
        return kernel(x1[slice(*part)], (x1 if x2 is None else x2)[index]).to(self.dtype)


@dataclass(frozen=True)
class _At:
    """What some columns add to some entries of the product."""

    width: int
    dtype: torch.dtype

    def __call__(
        self, part: tuple[int, int], source: Source, chosen: tuple[Tensor, Tensor]
    ) -> Tensor:
        (kernel, x1, x2), (index, v) = source, chosen
        left, out = x1[index], v.new_zeros(len(v), len(index), dtype=self.dtype)
        for j in range(*part, self.width):
            columns = slice(j, min(part[1], j + self.width))
            out += (
                v[:, columns] @ kernel(left, (x1 if x2 is None else x2)[columns]).to(self.dtype).T
            )
        return out
