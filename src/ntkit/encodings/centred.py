"""Coordinates about the centre of the unit cube, as networks that were published for [-1, 1] take them."""

from jaxtyping import Float
from torch import Tensor

from ntkit.encodings.coordinates import AbstractCoordinates

__all__ = ["Centred"]


class Centred(AbstractCoordinates):
    """`2 x - 1`: coordinates in [0, 1) as coordinates in [-1, 1), in front of `siren` and its kin.

    Args:
        in_dim: Number of coordinates.

    Example:
        >>> import torch
        >>> Centred(2)(torch.tensor([[0.25, 0.5]]))
        tensor([[-0.5000,  0.0000]])
    """

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """`2 x - 1`."""
        self.check_input(x)
        return 2 * x - 1
