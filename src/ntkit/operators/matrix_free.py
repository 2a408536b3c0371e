"""A matrix of which nothing is stored but what its products need."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["MatrixFreeOperator"]


class MatrixFreeOperator(AbstractOperator):
    """An operator given by a function that multiplies.

    Args:
        product: `v [c, m] -> [c, n]`, the product with each row; linear.
        diagonal: The entries `[i, i]`, asked for when needed.
        shape: `(n, m)`.
        inner: Precision that `product` computes in; it is handed rows of this dtype.
        device: Where it computes.
        dtype: Precision of what comes back.
        about: What a product takes, in words.

    Cost: that of `product`; no entry is computed.

    Example:
        >>> import torch
        >>> double = MatrixFreeOperator(
        ...     lambda v: 2 * v, lambda: torch.full((3,), 2.0), (3, 3),
        ...     inner=torch.float32, device=torch.device("cpu"),
        ... )
        >>> double @ torch.tensor([1.0, 0.0, 3.0])
        tensor([2., 0., 6.], dtype=torch.float64)
    """

    def __init__(
        self,
        product: Callable[[Tensor], Tensor],
        diagonal: Callable[[], Tensor],
        shape: tuple[int, int],
        *,
        inner: torch.dtype,
        device: torch.device,
        dtype: torch.dtype = torch.float64,
        about: str = "",
    ) -> None:
        self._product, self._diagonal, self._inner = product, diagonal, inner
        self.shape = shape
        self.dtype = dtype
        self.device = device
        self.kind = "matrix-free"
        self.about = about

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """By the function, in its precision."""
        return self._product(v.to(self._inner)).to(self.dtype)

    def diagonal(self) -> Float[Tensor, " n"]:
        """By the other function."""
        return self._diagonal().to(self.dtype)

    def to(self, dtype: torch.dtype) -> "MatrixFreeOperator":
        """The same function; what it returns is cast to another precision."""
        return MatrixFreeOperator(
            self._product,
            self._diagonal,
            self.shape,
            inner=self._inner,
            device=self.device,
            dtype=dtype,
            about=self.about,
        )
