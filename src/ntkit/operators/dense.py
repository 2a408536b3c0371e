"""A matrix that is stored whole."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["DenseOperator"]


class DenseOperator(AbstractOperator):
    """A stored `[n, m]` matrix.

    Args:
        matrix: The matrix; its dtype is the precision of the products. Kept without a copy, as of
            `n m` numbers: what is written into it later is in later products. Pass `matrix.clone()`
            for the matrix of now.

    Example:
        >>> import torch
        >>> DenseOperator(torch.eye(2)) @ torch.tensor([1.0, 2.0])
        tensor([1., 2.])
    """

    def __init__(self, matrix: Float[Tensor, "n m"]) -> None:
        self.matrix = matrix
        self.shape: tuple[int, int] = (matrix.shape[0], matrix.shape[1])
        self.dtype: torch.dtype = matrix.dtype
        self.device: torch.device = matrix.device
        self.kind = "dense"

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """`v @ matrix.T`."""
        return v @ self.matrix.T

    def diagonal(self) -> Float[Tensor, " n"]:
        """The stored diagonal."""
        return self.matrix.diagonal()

    def to(self, dtype: torch.dtype) -> "DenseOperator":
        """The same matrix in another precision."""
        return DenseOperator(self.matrix.to(dtype))

    def dense(self) -> Float[Tensor, "n m"]:
        """The stored matrix itself."""
        return self.matrix
