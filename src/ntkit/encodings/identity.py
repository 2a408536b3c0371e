"""The raw coordinates: no encoding at all."""

from jaxtyping import Float
from torch import Tensor

from ntkit.encodings.coordinates import AbstractCoordinates

__all__ = ["Identity"]


class Identity(AbstractCoordinates):
    """The coordinates as they are, the network that Fourier features are compared with.

    Args:
        in_dim: Number of coordinates.

    Example:
        >>> import torch
        >>> Identity(2)(torch.tensor([[0.25, 0.5]]))
        tensor([[0.2500, 0.5000]])
    """

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """`x` itself."""
        self.check_input(x)
        return x
