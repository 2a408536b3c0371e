"""The raw coordinates: no encoding at all."""

from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding

__all__ = ["Identity"]


class Identity(AbstractEncoding):
    """The coordinates as they are, the network that Fourier features are compared with.

    Args:
        in_dim: Number of coordinates.

    Example:
        >>> import torch
        >>> Identity(2)(torch.tensor([[0.25, 0.5]]))
        tensor([[0.2500, 0.5000]])
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.in_dim = positive_int("in_dim", in_dim)
        self.out_dim = self.in_dim

    @property
    def is_stationary(self) -> bool:
        """False: dot products of coordinates depend on where the points are."""
        return False

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """`x` itself."""
        self.check_input(x)
        return x

    def extra_repr(self) -> str:
        """The dimension, for `repr`."""
        return f"in_dim={self.in_dim}"
