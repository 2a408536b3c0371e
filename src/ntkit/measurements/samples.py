"""Samples of a field at some points of its grid."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from ntkit._core.checks import per_axis, positive_int, whole
from ntkit.measurements.base import AbstractMeasurement, row_numbers
from ntkit.measurements.blocks import blocks_of

__all__ = ["Samples"]


@dataclass(frozen=True, eq=False)
class Samples(AbstractMeasurement):
    """The field's values at some points of its grid, in the order of `index`.

    Make one with `every_other`, `every`, `mask`, `at` or `everywhere`.

    Attributes:
        field_shape: Shape of the grid.
        index: `[n]`, places in the flattened grid (row-major, the last axis fastest).
        lattice: The slices that give the same samples, one an axis; None if they are no sub-grid.

    Example:
        >>> half = Samples.every_other((4,))
        >>> half(torch.tensor([[1.0], [2.0], [3.0], [4.0]])).flatten()
        tensor([1., 3.])
        >>> half.adjoint(torch.tensor([[5.0], [7.0]])).flatten()
        tensor([5., 0., 7., 0.])
    """

    field_shape: tuple[int, ...]
    index: Int[Tensor, " n"] = field(repr=False)
    lattice: tuple[slice, ...] | None = None

    @classmethod
    def everywhere(cls, shape: Sequence[int]) -> "Samples":
        """All points of the grid."""
        return cls.every(shape, 1)

    @classmethod
    def every_other(cls, shape: Sequence[int]) -> "Samples":
        """Every other point along each axis, from the first."""
        return cls.every(shape, 2)

    @classmethod
    def every(
        cls, shape: Sequence[int], factor: int | Sequence[int], start: int | Sequence[int] = 0
    ) -> "Samples":
        """Every `factor`-th point along each axis, from point `start`.

        Args:
            shape: Shape of the grid.
            factor: One whole number for all axes, or one an axis.
            start: Likewise.

        Raises:
            ValueError: There are not as many as axes, or one is out of range.
        """
        sizes = tuple(positive_int("shape", n) for n in shape)
        steps = [positive_int("factor", k) for k in per_axis(factor, len(sizes))]
        first = [whole("start", s) for s in per_axis(start, len(sizes))]
        if len(steps) != len(sizes) or len(first) != len(sizes):
            raise ValueError(
                f"`factor={factor!r}` and `start={start!r}` need one number, or one for each of the "
                f"{len(sizes)} axes."
            )
        if not all(0 <= s < n for s, n in zip(first, sizes, strict=True)):
            raise ValueError(f"`start={start!r}` must be a point of the grid of shape {sizes}.")
        cut = tuple(slice(s, None, k) for s, k in zip(first, steps, strict=True))
        places = torch.arange(prod(sizes)).reshape(sizes)[cut]
        return cls(sizes, places.flatten(), cut)

    @classmethod
    def mask(cls, mask: Tensor) -> "Samples":
        """The points at which `mask` (boolean, of the grid's shape) is True.

        Raises:
            TypeError: It is not boolean.
            ValueError: It is True nowhere.
        """
        if mask.dtype != torch.bool:
            raise TypeError(f"`mask` must be boolean, got {mask.dtype}: `mask > 0.5` makes it so.")
        if not mask.any():
            raise ValueError("`mask` is True nowhere: nothing would be measured.")
        return cls(tuple(mask.shape), mask.flatten().nonzero()[:, 0])

    @classmethod
    def at(cls, shape: Sequence[int], places: Int[Tensor, "n d"]) -> "Samples":
        """The points with these whole-number places `[n, d]` along the axes; a point may come twice.

        Raises:
            ValueError: A place is outside of the grid, or there are not `d` numbers a point.
        """
        sizes = torch.tensor([positive_int("shape", n) for n in shape])
        if places.ndim != 2 or places.shape[1] != len(sizes) or not len(places):
            raise ValueError(
                f"`places` has shape {tuple(places.shape)}; one or more points [n, {len(sizes)}] are needed."
            )
        if bool(((places < 0) | (places >= sizes)).any()):
            raise ValueError(f"`places` has points outside of the grid of shape {tuple(shape)}.")
        strides = torch.tensor([prod(shape[k + 1 :]) for k in range(len(sizes))])
        return cls(tuple(int(n) for n in sizes), (places * strides).sum(1))

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """One axis: how many samples there are."""
        return (len(self.index),)

    @property
    def device(self) -> torch.device:
        """That of the index; fields on another device are read there as well."""
        return self.index.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Blocks of the grid, about 64 in all (8 x 8 of a picture), as far as they hold a sample."""
        return blocks_of(self.field_shape, self.index)

    @cached_property
    def seen(self) -> Bool[Tensor, "..."]:
        """`[*field_shape]`, True where the field is measured."""
        found = torch.zeros(prod(self.field_shape), dtype=torch.bool, device=self.device)
        found[self.index] = True
        return found.reshape(self.field_shape)

    @property
    def share(self) -> float:
        """How much of the grid is measured, from 0 to 1."""
        return float(self.seen.double().mean())

    @property
    def steps(self) -> tuple[int, ...] | None:
        """Distance of neighbouring samples along each axis; None if they are no sub-grid."""
        return None if self.lattice is None else tuple(cut.step or 1 for cut in self.lattice)

    def cosets(self) -> list[tuple[slice, ...]]:
        """The sub-grids of the points that are not measured, one for each shift of the lattice.

        Raises:
            ValueError: The samples are no sub-grid.
        """
        if self.lattice is None:
            raise ValueError("`cosets()` is of samples on a sub-grid alone, and these are none.")
        steps = self.steps or ()
        own = tuple(cut.start or 0 for cut in self.lattice)
        return [
            tuple(slice(s, None, k) for s, k in zip(start, steps, strict=True))
            for start in product(*(range(k) for k in steps))
            if start != own
        ]

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "n o"]:
        return field.reshape(-1, field.shape[-1])[self.index.to(field.device)]

    def _adjoint(self, data: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "..."]:
        empty = data.new_zeros(prod(self.field_shape), data.shape[-1])
        found = empty.index_add(0, self.index.to(data.device), data)
        return found.reshape(*self.field_shape, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Samples":
        """The samples of these rows."""
        picked = row_numbers(rows, len(self.index))
        return Samples(self.field_shape, self.index[picked.to(self.device)])
