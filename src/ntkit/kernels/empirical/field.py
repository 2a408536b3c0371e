"""Where a gradient inside the network may differ from zero."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Field"]


@dataclass(frozen=True)
class Field:
    """Where a gradient may differ from zero.

    Attributes:
        shape: Shape of the tensor.
        places: Positions in it, counted through all its entries, `[q]`; None for everywhere. The values
            there are `[o, q]`, those everywhere `[o, *shape]`, for `o` outputs.
    """

    shape: tuple[int, ...]
    places: Tensor | None = None

    def same(self, other: "Field") -> bool:
        """Whether values of both can be added as they are."""
        if self.places is None or other.places is None:
            return self.places is other.places
        return torch.equal(self.places, other.places)

    def whole(self, values: Tensor) -> Tensor:
        """`[o, *shape]`."""
        if self.places is None:
            return values
        found = values.new_zeros(len(values), *self.shape)
        found.flatten(1)[:, self.places] = values
        return found

    def rows(self, width: int) -> Tensor | None:
        """If the places are whole rows of this width, in order: which rows of `[-1, width]`."""
        if self.places is None or self.shape[-1] != width or len(self.places) % width:
            return None
        places = self.places.view(-1, width)
        rows = places[:, 0] // width
        columns = torch.arange(width, device=places.device)
        return rows if torch.equal(rows[:, None] * width + columns, places) else None
