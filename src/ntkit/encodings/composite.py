"""Several encodings side by side, each of some of the coordinates."""

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from ntkit.encodings.base import AbstractEncoding

__all__ = ["Composite"]


class Composite(AbstractEncoding):
    """The features of each part, one after the other; each takes the coordinates that follow the last's.

    Positions through one encoding and directions, times or properties through another. Dot
    products of features are sums of those of the parts.

    Args:
        parts: Encodings; the first takes the first `in_dim` coordinates, and so on.

    Raises:
        TypeError: A part is no encoding.
        ValueError: There are none.

    Example:
        >>> import torch
        >>> from ntkit.encodings import NeRF, SphericalHarmonics
        >>> encoding = Composite(NeRF(3, 10), SphericalHarmonics(3))
        >>> encoding(torch.rand(5, 6)).shape
        torch.Size([5, 76])
    """

    def __init__(self, *parts: AbstractEncoding) -> None:
        super().__init__()
        for k, part in enumerate(parts):
            if not isinstance(part, AbstractEncoding):
                raise TypeError(
                    f"`parts[{k}]` must be an encoding, got {type(part).__name__}. For raw "
                    "coordinates pass `Identity(n)`."
                )
        if not parts:
            raise ValueError("`Composite()` needs at least one encoding, got none.")
        self.parts: nn.ModuleList = nn.ModuleList(parts)
        self.in_dim: int = sum(part.in_dim for part in parts)
        self.out_dim: int = sum(part.out_dim for part in parts)
        self.is_fixed: bool = all(part.is_fixed for part in parts)

    @property
    def is_stationary(self) -> bool:
        """Whether the dot products of each part depend on the difference of the points alone."""
        return all(part.is_stationary for part in self.encodings)

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The features of all parts, `[..., out_dim]`."""
        self.check_input(x)
        parts = self.encodings
        columns = x.split([part.in_dim for part in parts], -1)
        return torch.cat([part(c) for part, c in zip(parts, columns, strict=True)], -1)

    @property
    def encodings(self) -> tuple[AbstractEncoding, ...]:
        """The parts."""
        return tuple(part for part in self.parts if isinstance(part, AbstractEncoding))
