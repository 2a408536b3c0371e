"""A signal on a grid: every other sample is trained on, the rest is held out."""

from dataclasses import dataclass
from math import inf, log10

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite
from ntkit.grids import Grid

__all__ = ["Signal", "every_other", "psnr"]


def psnr(mean_square_error: float) -> float:
    """Peak signal-to-noise ratio in decibels, for signals whose peak is 1.

    Example:
        >>> psnr(0.01)
        20.0
    """
    return inf if mean_square_error <= 0 else -10 * log10(mean_square_error)


def every_other(n_axes: int) -> tuple[slice, ...]:
    """The slices of the training samples: every other one along each axis."""
    return (slice(None, None, 2),) * n_axes


@dataclass(frozen=True, init=False)
class Signal:
    """Samples of a function on a regular grid, with outputs (channels) on the last axis.

    Attributes:
        values: `[*shape, o]`, float64, on the CPU.
    """

    values: Float[Tensor, "..."]

    def __init__(self, values: Tensor, *, n_axes: int | None = None) -> None:
        """Take `values` as `[*shape]` or `[*shape, o]`.

        Args:
            values: Real numbers, finite; peak-to-peak of about 1, as PSNR assumes a peak of 1.
            n_axes: Number of grid axes. By default a last axis of at most 4 behind two or more
                others is taken as channels.

        Raises:
            TypeError: Not a tensor of floating-point numbers.
            ValueError: NaN, infinite, constant, or too small to hold out every other sample.
        """
        if not isinstance(values, Tensor):
            raise TypeError(
                f"`signal` must be a torch.Tensor, got {type(values).__name__}. "
                "Convert with `torch.as_tensor(...)`."
            )
        if not values.is_floating_point():
            raise TypeError(
                f"`signal` must hold floating-point numbers with a peak-to-peak of about 1, got "
                f"{values.dtype}. For 8-bit images: `signal.double() / 255`."
            )
        if n_axes is None:
            n_axes = values.ndim - 1 if values.ndim > 2 and values.shape[-1] <= 4 else values.ndim
        if not 1 <= n_axes <= values.ndim or values.ndim > n_axes + 1:
            raise ValueError(
                f"`signal` has shape {tuple(values.shape)}, which does not fit `n_axes={n_axes}` "
                "grid axes and at most one axis of channels."
            )
        shape = tuple(values.shape[:n_axes])
        if min(shape, default=0) < 8:
            channels = (
                f" If the last axis holds channels, pass `Signal(values, n_axes={n_axes - 1})`."
            )
            raise ValueError(
                f"`signal` is {' x '.join(map(str, shape))} samples; at least 8 along each axis are "
                "needed to train on every other one and judge on the rest."
                + (channels if n_axes == values.ndim > 1 else "")
            )
        values = finite("signal", values.detach().cpu().double()).reshape(*shape, -1)
        if float(values.max() - values.min()) == 0:
            raise ValueError("`signal` is constant: every encoding fits it.")
        object.__setattr__(self, "values", values)

    @property
    def shape(self) -> tuple[int, ...]:
        """The grid's shape."""
        return tuple(self.values.shape[:-1])

    @property
    def n_outputs(self) -> int:
        """Number of channels."""
        return self.values.shape[-1]

    @property
    def grid(self) -> Grid:
        """All sample points, in `[0, 1)` along each axis."""
        return Grid(self.shape)

    @property
    def train_cut(self) -> tuple[slice, ...]:
        """The slices of the training samples: every other one along each axis."""
        return every_other(len(self.shape))

    def held_out(self) -> Tensor:
        """`[*shape]`, True where a sample is not trained on."""
        mask = torch.ones(self.shape, dtype=torch.bool)
        mask[self.train_cut] = False
        return mask

    def even_part(self) -> Float[Tensor, "..."]:
        """The values without the last sample of each odd axis, for the periodic engine."""
        return self.values[tuple(slice(0, n - n % 2) for n in self.shape)]

    def errors(self, prediction: Float[Tensor, "..."]) -> tuple[float, float]:
        """Mean square errors of `[*shape, o]` on the training samples and on the held-out ones.

        Raises:
            ValueError: `prediction` has another shape.
        """
        if prediction.shape != self.values.shape:
            raise ValueError(
                f"`prediction` has shape {tuple(prediction.shape)}, the signal "
                f"{tuple(self.values.shape)}: one last axis of channels, also for a single one."
            )
        square = (prediction.cpu().double() - self.values) ** 2
        mask = self.held_out()
        return float(square[~mask].mean()), float(square[mask].mean())

    def bicubic(self) -> Float[Tensor, "..."]:
        """All samples from the training ones by cubic convolution: what any encoding must beat.

        Source: Keys 1981, eq. 15 with a = -1/2, at the midpoints; borders repeat the last sample.
        """
        values = self.values[self.train_cut]
        for axis, n in enumerate(self.shape):
            v = values.movedim(axis, 0)
            padded = torch.cat([v[:1], v, v[-1:], v[-1:]])
            m = len(v)
            mid = (
                9 * (padded[1 : m + 1] + padded[2 : m + 2]) - padded[:m] - padded[3 : m + 3]
            ) / 16
            both = torch.stack([v, mid], 1).flatten(0, 1)[:n]
            values = both.movedim(0, axis)
        return values
