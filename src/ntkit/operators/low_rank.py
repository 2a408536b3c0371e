"""A product of two thin factors."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["LowRankOperator"]


class LowRankOperator(AbstractOperator):
    """`left @ right.T`, `[n, r] @ [r, m]`; positive semi-definite when both factors are the same.

    Args:
        left: `[n, r]`. Kept without a copy, as `right` is: what is written into it later is in later
            products.
        right: `[m, r]`; `left` itself if left out.

    Example:
        >>> import torch
        >>> op = LowRankOperator(torch.tensor([[1.0], [2.0]]))
        >>> op.dense()
        tensor([[1., 2.],
                [2., 4.]])
    """

    def __init__(
        self, left: Float[Tensor, "n r"], right: Float[Tensor, "m r"] | None = None
    ) -> None:
        self.left = left
        self.right: Tensor = left if right is None else right
        self.shape: tuple[int, int] = (left.shape[0], self.right.shape[0])
        self.dtype: torch.dtype = left.dtype
        self.device: torch.device = left.device
        self.kind = "low-rank"

    @property
    def rank(self) -> int:
        """Number of columns of the factors."""
        return self.left.shape[1]

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """Two thin products."""
        return (v @ self.right) @ self.left.T

    def diagonal(self) -> Float[Tensor, " n"]:
        """Row-wise dot products of the factors."""
        return (self.left * self.right).sum(1)

    def to(self, dtype: torch.dtype) -> "LowRankOperator":
        """The same factors in another precision."""
        right = None if self.right is self.left else self.right.to(dtype)
        return LowRankOperator(self.left.to(dtype), right)
