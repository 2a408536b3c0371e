"""Regular grids of points: never materialised unless asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import isclose, prod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import number, per_axis, whole

__all__ = ["Grid"]


@dataclass(frozen=True, init=False)
class Grid:
    """Regular samples of `[0, 1)^d`: sample `i` of an axis of `n` lies at `origin + i * spacing`.

    The end point is excluded, as in an image whose pixel `i` of `n` is at `i / n`. Axis order is
    the array's (`y, x` for images). Slicing gives a sub-grid with its own origin and spacing.

    Args:
        shape: Samples an axis; an int for a line.
        origin: Coordinate of the first sample, one number an axis or one for all.
        spacing: Distance of neighbours, one number an axis or one for all; `1 / shape` by default.

    Example:
        >>> grid = Grid((4, 4))
        >>> grid[::2, 1::2].points()
        tensor([[0.0000, 0.2500],
                [0.0000, 0.7500],
                [0.5000, 0.2500],
                [0.5000, 0.7500]], dtype=torch.float64)
    """

    shape: tuple[int, ...]
    origin: tuple[float, ...]
    spacing: tuple[float, ...]

    def __init__(
        self,
        shape: int | Sequence[int],
        origin: float | Sequence[float] = 0.0,
        spacing: float | Sequence[float] | None = None,
    ) -> None:
        sizes = tuple(whole("shape", n) for n in per_axis(shape, 1))
        if not sizes or min(sizes) < 1:
            raise ValueError(
                f"`Grid(shape={shape!r})` needs one or more axes of at least 1 sample."
            )
        steps = [1 / n for n in sizes] if spacing is None else spacing
        object.__setattr__(self, "shape", sizes)
        object.__setattr__(self, "origin", _per_axis("origin", origin, len(sizes)))
        object.__setattr__(self, "spacing", _per_axis("spacing", steps, len(sizes)))
        if min(self.spacing) <= 0:
            raise ValueError(f"`Grid(spacing={spacing!r})` must be above 0 along every axis.")

    @property
    def ndim(self) -> int:
        """Number of axes, `d`."""
        return len(self.shape)

    def __len__(self) -> int:
        return prod(self.shape)

    def __getitem__(self, index: slice | tuple[slice, ...]) -> "Grid":
        slices = index if isinstance(index, tuple) else (index,)
        if len(slices) > self.ndim or not all(isinstance(s, slice) for s in slices):
            raise TypeError(
                f"A {self.ndim}-axis Grid takes up to {self.ndim} slices, got {index!r}. "
                "For single points use `grid.points()[i]`."
            )
        ranges = [
            range(n)[s]
            for n, s in zip(self.shape, (*slices, *[slice(None)] * self.ndim), strict=False)
        ]
        if any(r.step < 1 or len(r) == 0 for r in ranges):
            raise ValueError(
                f"Slicing a Grid needs positive steps and no empty axis, got {index!r}."
            )
        return Grid(
            [len(r) for r in ranges],
            [o + r.start * h for o, r, h in zip(self.origin, ranges, self.spacing, strict=True)],
            [r.step * h for r, h in zip(ranges, self.spacing, strict=True)],
        )

    def axes(self) -> list[Float[Tensor, " _"]]:
        """The coordinates along each axis, float64."""
        return [
            o + h * torch.arange(n, dtype=torch.float64)
            for n, o, h in zip(self.shape, self.origin, self.spacing, strict=True)
        ]

    def points(self) -> Float[Tensor, "n d"]:
        """All points, row-major, float64: `len(self) * d` numbers."""
        return torch.stack(torch.meshgrid(*self.axes(), indexing="ij"), -1).flatten(0, -2)

    def spans_unit_period(self) -> bool:
        """Whether `shape * spacing = 1` along each axis, so that lags wrap around with period 1."""
        return all(
            isclose(n * h, 1, rel_tol=1e-9) for n, h in zip(self.shape, self.spacing, strict=True)
        )

    def same_spacing(self, other: "Grid") -> bool:
        """Whether both grids have the same axes and the same distance of neighbours."""
        return self.ndim == other.ndim and all(
            isclose(a, b, rel_tol=1e-9) for a, b in zip(self.spacing, other.spacing, strict=True)
        )

    def cosets(self, coarse: "Grid") -> list[tuple[tuple[slice, ...], "Grid"]]:
        """Split into the sub-grids that have the spacing of `coarse`, each with the slices that cut it.

        A kernel matrix between each of them and `coarse` is then block-Toeplitz.

        Raises:
            ValueError: The spacing of `coarse` is no whole multiple of this grid's.
        """
        if self.ndim != coarse.ndim:
            raise ValueError(
                f"A {self.ndim}-axis grid and a {coarse.ndim}-axis grid share no lags."
            )
        ratios = [b / a for a, b in zip(self.spacing, coarse.spacing, strict=True)]
        steps = [max(1, round(r)) for r in ratios]
        if not all(isclose(r, s, rel_tol=1e-9) for r, s in zip(ratios, steps, strict=True)):
            raise ValueError(
                f"Grid spacing {self.spacing} does not divide {coarse.spacing}. "
                "Predict on a grid whose spacing divides the training grid's, or on `grid.points()`."
            )
        starts = product(*[range(min(s, n)) for s, n in zip(steps, self.shape, strict=True)])
        cuts = [tuple(slice(i, None, s) for i, s in zip(ii, steps, strict=True)) for ii in starts]
        return [(cut, self[cut]) for cut in cuts]


def _per_axis(name: str, value: float | Sequence[float], ndim: int) -> tuple[float, ...]:
    numbers = [number(name, v) for v in per_axis(value, ndim)]
    if len(numbers) != ndim:
        raise ValueError(f"`Grid({name}={value!r})` needs {ndim} numbers, one an axis.")
    return tuple(numbers)
