"""Several measurements of one field, taken together."""

from dataclasses import dataclass, field
from functools import reduce
from math import prod
from operator import add

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements.base import AbstractMeasurement, numbered, row_numbers

__all__ = ["Stacked", "stack"]


@dataclass(frozen=True, eq=False)
class Stacked(AbstractMeasurement):
    """All data of several measurements of one field, in one row after the other; made by `stack`.

    Attributes:
        parts: The measurements.
        index: `[n]`, which of the parts' data are kept, counted through all parts.

    Example:
        >>> import torch
        >>> from ntkit.measurements import Samples, stack
        >>> first, second = (Samples((4,), torch.tensor(i)) for i in ([0], [2, 3]))
        >>> stack(first, second).data_shape
        (3,)
    """

    parts: tuple[AbstractMeasurement, ...]
    index: Int[Tensor, " n"] = field(repr=False)

    @property
    def field_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Each part's."""
        return self.parts[0].field_shape

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One axis: how many data there are."""
        return (len(self.index),)

    @property
    def dtype(self) -> torch.dtype:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The widest of the parts'."""
        found = self.parts[0].dtype
        for part in self.parts[1:]:
            found = torch.promote_types(found, part.dtype)
        return found

    @property
    def is_complex(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether one of the parts is."""
        return any(part.is_complex for part in self.parts)

    @property
    def device(self) -> torch.device:
        """The first part's."""
        return self.parts[0].device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Those of the parts, each part's apart from the others'."""
        found, start = [], 0
        for part in self.parts:
            each = part.groups.repeat_interleave(prod(part.data_shape[1:])) + start
            found.append(each.to(self.device))
            start = int(each.max()) + 1
        return numbered(torch.cat(found)[self.index])

    @property
    def grid(self) -> Grid:
        """That of the first part that knows its physical size; all that do have the same."""
        plain = Grid(self.field_shape)
        return next((part.grid for part in self.parts if part.grid != plain), plain)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "n o"]:
        found = torch.cat([part(field).reshape(-1, field.shape[-1]) for part in self.parts])
        return found[self.index.to(field.device)]

    def _adjoint(self, data: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "..."]:
        outputs = data.shape[-1]
        sizes = [prod(part.data_shape) for part in self.parts]
        full = data.new_zeros(sum(sizes), outputs).index_add(0, self.index.to(data.device), data)
        found = [
            part.adjoint(piece.reshape(*part.data_shape, outputs))
            for part, piece in zip(self.parts, full.split(sizes), strict=True)
        ]
        return reduce(add, found)

    def __getitem__(self, rows: slice | Tensor) -> "Stacked":
        """Some of the data; of each part, only the rows that they need are still measured."""
        kept = self.index[row_numbers(rows, len(self.index)).to(self.index.device)]
        parts, index, start, new = [], torch.empty_like(kept), 0, 0
        for part in self.parts:
            width, size = prod(part.data_shape[1:]), prod(part.data_shape)
            own = (kept >= start) & (kept < start + size)
            if bool(own.any()):
                local = kept[own] - start
                needed, at = torch.unique(local // width, return_inverse=True)
                index[own] = new + at * width + local % width
                parts.append(part[needed])
                new += len(needed) * width
            start += size
        return Stacked(tuple(parts), index)


def stack(*measurements: AbstractMeasurement) -> Stacked:
    """All of some measurements of one field: their data flattened, one after the other, `[n, o]`.

    Their groups stay apart: no group has data of two of them.

    Args:
        measurements: One or more, of fields of one shape.

    Raises:
        ValueError: There is none, or their fields have several shapes or physical sizes.

    Example:
        >>> from ntkit.measurements import Samples
        >>> both = stack(Samples.every_other((4,)), Samples.everywhere((4,)))
        >>> both(torch.tensor([[1.0], [2.0], [3.0], [4.0]])).flatten()
        tensor([1., 3., 1., 2., 3., 4.])
    """
    if not measurements:
        raise ValueError("`stack()` needs one measurement or more.")
    shapes = {each.field_shape for each in measurements}
    if len(shapes) > 1:
        raise ValueError(
            f"`stack` needs measurements of one field, got fields of shapes {sorted(shapes)}."
        )
    plain = Grid(measurements[0].field_shape)
    grids = {each.grid for each in measurements} - {plain}
    if len(grids) > 1:
        spacings = sorted(grid.spacing for grid in grids)
        raise ValueError(f"`stack` needs fields of one size, got grids with spacings {spacings}.")
    total = sum(prod(each.data_shape) for each in measurements)
    return Stacked(measurements, torch.arange(total, device=measurements[0].device))
