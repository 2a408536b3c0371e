"""An operator between two copies of a diagonal matrix."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator

__all__ = ["ScaledOperator", "scaled"]


class ScaledOperator(AbstractOperator):
    """`D K D` for a square operator `K` and a diagonal matrix `D`.

    Args:
        op: `K`.
        scale: The diagonal of `D`.

    Example:
        >>> import torch
        >>> op = ScaledOperator(DenseOperator(torch.ones(2, 2)), torch.tensor([1.0, 3.0]))
        >>> op @ torch.tensor([1.0, 1.0])
        tensor([ 4., 12.])
    """

    def __init__(self, op: AbstractOperator, scale: Float[Tensor, " n"]) -> None:
        self.op = op
        self.scale: Tensor = scale.to(op.dtype)
        self.shape: tuple[int, int] = op.shape
        self.dtype: torch.dtype = op.dtype
        self.device: torch.device = op.device
        self.kind: str = op.kind

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """`D K D v`, one product with `K`."""
        return self.op.rows(v * self.scale) * self.scale

    def diagonal(self) -> Float[Tensor, " n"]:
        """`K`'s, times the squares of the scale."""
        return self.op.diagonal() * self.scale**2

    def to(self, dtype: torch.dtype) -> "ScaledOperator":
        """The same operator in another precision."""
        return ScaledOperator(self.op.to(dtype), self.scale)


def scaled(op: AbstractOperator, scale: Float[Tensor, " n"]) -> AbstractOperator:
    """`D K D` in the cheapest form: dense and low-rank operators keep their kind.

    Example:
        >>> import torch
        >>> from ntkit.operators import DenseOperator
        >>> K = scaled(DenseOperator(torch.ones(2, 2).double()), torch.tensor([1.0, 3.0]).double())
        >>> (K @ torch.tensor([1.0, 1.0]).double()).tolist()
        [4.0, 12.0]
    """
    if isinstance(op, DenseOperator):
        d = scale.to(op.dtype)
        return DenseOperator(op.matrix * d * d[:, None])
    if isinstance(op, LowRankOperator) and op.left is op.right:
        return LowRankOperator(op.left * scale.to(op.dtype)[:, None])
    return ScaledOperator(op, scale)
