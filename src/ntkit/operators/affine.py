"""A multiple of an operator and of the identity."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.operators.toeplitz import ToeplitzOperator

__all__ = ["AffineOperator", "affine"]


class AffineOperator(AbstractOperator):
    """`scale K + shift` for a square operator `K`.

    Args:
        op: `K`.
        scale: Multiple of `K`.
        shift: Multiple of the identity.

    Example:
        >>> import torch
        >>> from ntkit.operators import DenseOperator
        >>> AffineOperator(DenseOperator(torch.ones(2, 2)), 2.0, 1.0) @ torch.tensor([1.0, 0.0])
        tensor([3., 2.])
    """

    def __init__(self, op: AbstractOperator, scale: float, shift: float) -> None:
        self.op = op
        self.scale = scale
        self.shift = shift
        self.shape: tuple[int, int] = op.shape
        self.dtype: torch.dtype = op.dtype
        self.device: torch.device = op.device
        self.kind: str = op.kind

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """One product with `K`."""
        return torch.add(self.shift * v, self.op.rows(v), alpha=self.scale)

    def diagonal(self) -> Float[Tensor, " n"]:
        """`K`'s, scaled and shifted."""
        return self.scale * self.op.diagonal() + self.shift

    def to(self, dtype: torch.dtype) -> "AffineOperator":
        """The same operator in another precision."""
        return AffineOperator(self.op.to(dtype), self.scale, self.shift)


def affine(op: AbstractOperator, scale: float, shift: float) -> AbstractOperator:
    """`scale K + shift` in the cheapest form: a Toeplitz operator has both in its spectrum.

    Raises:
        ValueError: `op` is not square.

    Example:
        >>> import torch
        >>> from ntkit.operators import DenseOperator
        >>> K = affine(DenseOperator(torch.ones(2, 2).double()), 2.0, 1.0)
        >>> (K @ torch.tensor([1.0, 0.0]).double()).tolist()  # the shift is a multiple of the identity
        [3.0, 2.0]
    """
    if op.shape[0] != op.shape[1]:
        raise ValueError(f"`op` must be square to be shifted by the identity, got {op.shape}.")
    if isinstance(op, ToeplitzOperator):
        return op.affine(scale, shift)
    return AffineOperator(op, scale, shift)
