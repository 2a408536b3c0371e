"""A matrix computed tile by tile and never stored."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["TiledOperator"]


class TiledOperator(AbstractOperator):
    """`K[i, j] = kernel(x1[i], x2[j])`, recomputed in tiles of rows at each product.

    Args:
        kernel: `kernel(x1, x2) -> [n, m]`.
        x1: Row points.
        x2: Column points.
        dtype: Precision of the products.
        tile_bytes: Memory for one tile of the matrix.

    Cost: `n * m` kernel entries a product, `tile_bytes` of memory.

    Example:
        >>> import torch
        >>> x = torch.arange(3.0)[:, None]
        >>> TiledOperator(lambda a, b: a @ b.T, x, x) @ torch.ones(3)
        tensor([0., 3., 6.], dtype=torch.float64)
    """

    def __init__(
        self,
        kernel: Callable[[Tensor, Tensor], Tensor],
        x1: Float[Tensor, "n d"],
        x2: Float[Tensor, "m d"],
        *,
        dtype: torch.dtype = torch.float64,
        tile_bytes: int = 64 * 2**20,
    ) -> None:
        self._kernel, self._x1, self._x2 = kernel, x1, x2
        self._tile_bytes = tile_bytes
        self._rows_per_tile = max(1, tile_bytes // (8 * max(1, len(x2))))
        self.shape = (len(x1), len(x2))
        self.dtype = dtype
        self.device = x1.device
        self.kind = "tiled"

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product, one tile of rows at a time."""
        step = self._rows_per_tile
        tiles = [
            v @ self._kernel(self._x1[i : i + step], self._x2).to(self.dtype).T
            for i in range(0, self.shape[0], step)
        ]
        return torch.cat(tiles, 1)

    def diagonal(self) -> Float[Tensor, " n"]:
        """Entry by entry: `n` kernel entries."""
        pairs = zip(self._x1, self._x2, strict=False)
        return torch.cat([self._kernel(a[None], b[None]).flatten() for a, b in pairs]).to(
            self.dtype
        )

    def to(self, dtype: torch.dtype) -> "TiledOperator":
        """The same kernel and points; tiles are cast to another precision."""
        return TiledOperator(
            self._kernel, self._x1, self._x2, dtype=dtype, tile_bytes=self._tile_bytes
        )
