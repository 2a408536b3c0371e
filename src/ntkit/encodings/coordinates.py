"""What the encodings share that keep the coordinates: as they are, or about the centre."""

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding

__all__ = ["AbstractCoordinates"]


class AbstractCoordinates(AbstractEncoding):
    """As many features as coordinates, each a straight line of one.

    Args:
        in_dim: Number of coordinates.
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__()
        self.in_dim: int = positive_int("in_dim", in_dim)
        self.out_dim: int = self.in_dim

    @property
    def is_stationary(self) -> bool:
        """False: dot products of coordinates depend on where the points are."""
        return False

    def extra_repr(self) -> str:
        """The dimension, for `repr`."""
        return f"in_dim={self.in_dim}"
