"""What an operator is: a matrix known by its products."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.html_card import html_card
from ntkit._core.pickling import Kept

__all__ = ["AbstractOperator"]


class AbstractOperator(Kept, ABC):
    """A real `[n, m]` matrix known by its products, `op @ v`.

    Attributes:
        shape: `(n, m)`.
        dtype: Precision of the products.
        device: Where the products are computed.
        kind: One word for how: "dense", "tiled", "matrix-free", "low-rank", "toeplitz" or
            "circulant".

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.gram(ntkit.kernels.RBF(0.1), ntkit.Grid(8))
        >>> isinstance(K, AbstractOperator), K.shape, (K @ torch.ones(8).double()).shape
        (True, (8, 8), torch.Size([8]))
    """

    shape: tuple[int, int]
    dtype: torch.dtype
    device: torch.device
    kind: str

    def __matmul__(self, v: Tensor) -> Tensor:
        if not isinstance(v, Tensor):
            raise TypeError(
                f"`op @ v`: `v` must be a torch.Tensor, got {type(v).__name__}. Convert with "
                "`torch.as_tensor(...)`."
            )
        if v.layout != torch.strided:
            raise TypeError(
                f"`op @ v`: `v` must be dense, got a tensor of layout {v.layout}. Pass `v.to_dense()`."
            )
        if v.is_complex():  # the matrix is real: each part on its own
            return torch.complex(self @ v.real, self @ v.imag)
        if v.ndim not in {1, 2} or v.shape[0] != self.shape[1]:
            raise ValueError(
                f"`op @ v`: the operator is {self.shape}, so `v` must be [{self.shape[1]}] or "
                f"[{self.shape[1]}, c], got {tuple(v.shape)}."
            )
        rows = v.to(self.dtype).reshape(v.shape[0], -1).T
        return self.rows(rows).T.reshape(self.shape[0], *v.shape[1:])

    @abstractmethod
    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """The product with each row of `v`: `(op @ v.T).T`, the layout that solvers use."""

    @abstractmethod
    def diagonal(self) -> Float[Tensor, " n"]:
        """Entries `[i, i]` of a square operator."""

    @abstractmethod
    def to(self, dtype: torch.dtype) -> "AbstractOperator":
        """The same operator with products in another precision."""

    def dense(self) -> Float[Tensor, "n m"]:
        """The whole matrix: `n * m` numbers, for small operators and tests."""
        return self.rows(torch.eye(self.shape[1], dtype=self.dtype, device=self.device)).T

    def __repr__(self) -> str:
        n, m = self.shape
        return f"<{n} x {m} {self.kind} operator, {str(self.dtype).removeprefix('torch.')}>"

    def _repr_html_(self) -> str:
        n, m = self.shape
        megabytes = n * m * self.dtype.itemsize / 1e6
        rows = (
            ("held as", self.kind),
            ("products in", f"{str(self.dtype).removeprefix('torch.')} on {self.device}"),
            ("written out", f"{megabytes:,.3g} MB"),
        )
        return html_card(f"Operator of {n:,} x {m:,}", rows)
