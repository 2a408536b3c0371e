"""The dot product of the points themselves."""

from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.closed.points import each, pairs, rows

__all__ = ["Linear"]


class Linear(AbstractKernel):
    """`k(x, x') = x.x'`: linear regression without intercept (`Linear() + 1` has one).

    Computes in float64 and returns the dtype of its input. Points with more axes, such as images, are
    flattened.

    Source: scikit-learn's `linear_kernel`.

    Example:
        >>> import torch
        >>> Linear()(torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
        tensor([[25.,  3.],
                [ 3.,  1.]])
    """

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """Dot products of finite points."""
        return pairs(lambda u, v: u @ (u if v is None else v).T, x1, x2)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Squared lengths."""
        return each(lambda u: (u**2).sum(1), x)

    def _features(self, x: Tensor) -> Tensor:
        return rows("x", x).to(x.dtype)

    def __repr__(self) -> str:
        return "Linear()"
