"""A field as a coarser sensor sees it: means of blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit._core.checks import per_axis, positive_int
from ntkit.grids import Grid
from ntkit.measurements.bands import bands
from ntkit.measurements.base import AbstractMeasurement, Composed
from ntkit.measurements.rows import rows_of

__all__ = ["Subsample"]


@dataclass(frozen=True, eq=False)
class Subsample(AbstractMeasurement):
    """Means over blocks of `factor` pixels along each axis: what a sensor with larger pixels sees.

    For every `factor`-th pixel alone, without a mean: `Samples.every`. Groups are bands of the first axis; for blocks
    instead, `Samples.everywhere(A.data_shape) @ A`.

    Attributes:
        field_shape: Shape of the field; `factor` divides it.
        factor: One whole number for all axes, or one an axis.

    Raises:
        ValueError: It does not divide the shape.

    Example:
        >>> Subsample((4,), 2)(torch.tensor([[1.0], [3.0], [5.0], [5.0]])).flatten()
        tensor([2., 5.])
    """

    field_shape: tuple[int, ...]
    factor: int | Sequence[int]

    def __post_init__(self) -> None:
        sizes = tuple(positive_int("shape", n) for n in self.field_shape)
        factors = tuple(positive_int("factor", k) for k in per_axis(self.factor, len(sizes)))
        if len(factors) != len(sizes) or any(n % k for n, k in zip(sizes, factors, strict=True)):
            raise ValueError(
                f"`factor={self.factor!r}` must divide the shape {sizes} along each axis; crop the field first."
            )
        object.__setattr__(self, "field_shape", sizes)
        object.__setattr__(self, "factor", factors)

    @property
    def factors(self) -> tuple[int, ...]:
        """One an axis."""
        return tuple(per_axis(self.factor, len(self.field_shape)))  # pyright: ignore[reportReturnType]

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Blocks along each axis."""
        return tuple(n // k for n, k in zip(self.field_shape, self.factors, strict=True))

    @property
    def device(self) -> torch.device:
        """The CPU; there is nothing to be elsewhere."""
        return torch.device("cpu")

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Bands along the first axis, about 24."""
        return bands(self.data_shape[0])

    def coarse(self) -> Grid:
        """Middles of the blocks, in the coordinates of the field's grid."""
        fine = self.grid
        return Grid(
            self.data_shape,
            [
                o + (k - 1) / 2 * h
                for o, k, h in zip(fine.origin, self.factors, fine.spacing, strict=True)
            ],
            [k * h for k, h in zip(self.factors, fine.spacing, strict=True)],
        )

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        sizes = [n for pair in zip(self.data_shape, self.factors, strict=True) for n in pair]
        within = tuple(range(1, 2 * len(self.factors), 2))
        return field.reshape(*sizes, -1).mean(within)

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        for axis, factor in enumerate(self.factors):
            data = data.repeat_interleave(factor, axis) / factor
        return data

    def __getitem__(self, rows: slice | Tensor) -> Composed:
        """Some rows; all are computed."""
        return rows_of(self, rows)
