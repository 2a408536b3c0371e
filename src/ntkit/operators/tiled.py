"""A matrix computed tile by tile and never stored."""

from collections.abc import Callable
from math import isqrt

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["TiledOperator"]

_TOGETHER = 64
"""Points whose kernel is computed to have that of each with itself."""


class TiledOperator(AbstractOperator):
    """`K[i, j] = kernel(x1[i], x2[j])`, recomputed in tiles at each product.

    Args:
        kernel: `kernel(x1, x2) -> [n, m]`, symmetric in its arguments.
        x1: Row points.
        x2: Column points; where they are the same, tiles below the diagonal are those above.
        dtype: Precision of the products.
        tile_bytes: Memory for one tile of the matrix.

    Cost: `n * m` kernel entries a product (half of that for the same points), `tile_bytes` of memory.

    Example:
        >>> import torch
        >>> x = torch.arange(3.0)[:, None]
        >>> TiledOperator(lambda a, b: a @ b.T, x, x) @ torch.ones(3)
        tensor([0., 3., 6.], dtype=torch.float64)
    """

    def __init__(
        self,
        kernel: Callable[[Tensor, Tensor], Tensor],
        x1: Shaped[Tensor, "n ..."],
        x2: Shaped[Tensor, "m ..."],
        *,
        dtype: torch.dtype = torch.float64,
        tile_bytes: int = 64 * 2**20,
    ) -> None:
        self.kernel, self.x1, self.x2 = kernel, x1, x2
        self.shape = (len(x1), len(x2))
        self.dtype = dtype
        self.device = x1.device
        self.kind = "tiled"
        self.is_symmetric = x1 is x2 or (x1.shape == x2.shape and torch.equal(x1, x2))
        self._tile_bytes = tile_bytes

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product, one tile at a time."""
        n, m = self.shape
        side = max(1, isqrt(self._tile_bytes // 8))
        width = max(1, min(m, side))
        height = side if self.is_symmetric else max(1, self._tile_bytes // (8 * width))
        out = v.new_zeros(len(v), n, dtype=self.dtype)
        for i in range(0, n, height):
            rows = slice(i, i + height)
            left = self.x1[rows]
            for j in range(i if self.is_symmetric else 0, m, width):
                columns = slice(j, j + width)
                right = left if self.is_symmetric and j == i else self.x2[columns]
                tile = self.kernel(left, right).to(self.dtype)
                out[:, rows] += v[:, columns] @ tile.T
                if self.is_symmetric and j > i:
                    out[:, columns] += v[:, rows] @ tile
        return out

    def dense(self) -> Float[Tensor, "n m"]:
        """Every entry once, tile by tile; below the diagonal of the same points those above it."""
        n, m = self.shape
        side = max(1, isqrt(self._tile_bytes // 8))
        out = torch.empty(n, m, dtype=self.dtype, device=self.device)
        for i in range(0, n, side):
            rows = slice(i, i + side)
            left = self.x1[rows]
            for j in range(i if self.is_symmetric else 0, m, side):
                columns = slice(j, j + side)
                right = left if self.is_symmetric and j == i else self.x2[columns]
                tile = self.kernel(left, right).to(self.dtype)
                if self.is_symmetric and j == i:
                    tile = tile.triu() + tile.triu(1).T  # to the last bit
                out[rows, columns] = tile
                if self.is_symmetric and j > i:
                    out[columns, rows] = tile.T
        return out

    def columns(self, index: Tensor) -> Float[Tensor, "n k"]:
        """Those columns of the matrix."""
        return self.kernel(self.x1, self.x2[index]).to(self.dtype)

    def diagonal(self) -> Float[Tensor, " n"]:
        """Entries `[i, i]`, from small blocks on the diagonal."""
        blocks = zip(self.x1.split(_TOGETHER), self.x2.split(_TOGETHER), strict=True)
        return torch.cat([self.kernel(a, b).diagonal() for a, b in blocks]).to(self.dtype)

    def to(self, dtype: torch.dtype) -> "TiledOperator":
        """The same kernel and points; tiles are cast to another precision."""
        return self._with(self.x1, self.x2, dtype)

    def of_points_in(self, dtype: torch.dtype) -> "TiledOperator":
        """The kernel of the points in another precision, for kernels whose values follow the points'."""
        x1 = self.x1.to(dtype)
        return self._with(x1, x1 if self.is_symmetric else self.x2.to(dtype), dtype)

    def _with(self, x1: Tensor, x2: Tensor, dtype: torch.dtype) -> "TiledOperator":
        return TiledOperator(self.kernel, x1, x2, dtype=dtype, tile_bytes=self._tile_bytes)
