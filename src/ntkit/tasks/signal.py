"""A field on a grid: by default every other sample is trained on, and the rest is held out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit import figures
from ntkit._core.checks import finite
from ntkit.grids import Grid
from ntkit.measurements import Samples
from ntkit.tasks.base import Baseline
from ntkit.tasks.domain import Domain, Rendered, evaluated
from ntkit.tasks.metrics import psnr
from ntkit.tasks.missing import like_what_is_missing
from ntkit.tasks.samples import AbstractSamples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Signal", "with_error"]


class Signal(AbstractSamples):
    """Samples of a function on a regular grid, with outputs (channels) on the last axis.

    Attributes:
        values: `[*shape, o]`, float64, on the CPU.

    Example:
        >>> signal = Signal(torch.rand(8, 8, 3))
        >>> signal.grid.shape
        (8, 8)
    """

    kind: ClassVar[str] = "signal"

    def __init__(
        self, values: Tensor, *, n_axes: int | None = None, mask: Tensor | None = None
    ) -> None:
        """Take `values` as `[*shape]` or `[*shape, o]`.

        Args:
            values: Real numbers, finite; peak-to-peak of about 1, as PSNR assumes a peak of 1.
            n_axes: Number of grid axes. By default a last axis of at most 4 behind two or more
                others is taken as channels.
            mask: `[*shape]`, boolean, True where the field is known. A tenth of the known samples is
                then held out: more of what is missing, where that is thin enough to be moved over them.

        What is no tensor of finite floating-point numbers, is constant, or has fewer than 8 samples along an
        axis is refused.
        """
        checked = _checked(values, n_axes)
        every_other = Samples.every_other(checked.shape[:-1])
        self.domain: Domain = Domain(self.kind, tuple(checked.shape[:-1]), checked.shape[-1])
        self.values = checked
        self.measurement, self.held_out = every_other, ~every_other.seen
        if mask is not None:
            seen, held_out = like_what_is_missing(mask, self.shape)
            self.measurement: Samples = Samples.mask(seen)
            self.held_out: Tensor = held_out

    @property
    def in_dim(self) -> int:
        """Axes of the grid."""
        return len(self.shape)

    @property
    def grid(self) -> Grid:
        """All sample points, in `[0, 1)` along each axis."""
        return Grid(self.shape)

    def points(self) -> Float[Tensor, "n d"]:
        """All sample points, in `[0, 1)` along each axis."""
        return self.grid.points()

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """Training samples along each axis; of scattered ones, the grid's thinned evenly."""
        steps = self.measurement.steps
        if steps is not None:
            return tuple(n / k for n, k in zip(self.shape, steps, strict=True))
        thin = self.measurement.share ** (1 / self.in_dim)
        return tuple(n * thin for n in self.shape)

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Curves of a line; else pictures, of a volume the middle slice, and the error of the last."""
        if self.in_dim == 1:
            curves = [(title.replace("\n", ", "), values[:, 0]) for title, values in panels]
            return figures.lines_figure(self.grid.axes()[0], curves)
        return figures.pictures_figure(with_error(panels))

    def baseline(self) -> Baseline | None:
        """Cubic convolution, where every other sample is known."""
        if not self.judges or self.measurement.steps != (2,) * self.in_dim:
            return None
        return Baseline("bicubic", psnr(self.errors(self.bicubic())[1]))

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
    ) -> Rendered:
        """The field of a network on another grid.

        Args:
            network: Coordinates in [0, 1) to outputs.
            domain: Of the task that it was trained on.
            size: Samples along each axis.
            crop: From where to where along each axis, in samples of the file.
        """
        new = domain.resampled(size, crop)
        values = evaluated(network, new.grid(domain.shape).points())
        return Rendered(values.double().numpy().reshape(*new.shape, -1), new)

    def bicubic(self) -> Float[Tensor, "..."]:
        """All samples from every other one by cubic convolution: what any encoding must beat.

        Source: Keys 1981, eq. 15 with a = -1/2, at the midpoints; borders repeat the last sample.
        """
        values = self.values[(slice(None, None, 2),) * self.in_dim]
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


def _checked(values: Tensor, n_axes: int | None) -> Float[Tensor, "..."]:
    """`[*shape, o]`, float64, on the CPU.

    Raises:
        TypeError: Not a tensor of floating-point numbers.
        ValueError: NaN, infinite, constant, or too small.
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
        channels = f" If the last axis holds channels, pass `Signal(values, n_axes={n_axes - 1})`."
        raise ValueError(
            f"`signal` is {' x '.join(map(str, shape))} samples; at least 8 along each axis are "
            "needed to train on every other one and judge on the rest."
            + (channels if n_axes == values.ndim > 1 else "")
        )
    values = finite("signal", values.detach().cpu().double()).reshape(*shape, -1)
    if float(values.max() - values.min()) == 0:
        raise ValueError("`signal` is constant: every encoding fits it.")
    return values


def with_error(
    panels: Sequence[tuple[str, Float[Tensor, "..."]]],
) -> list[tuple[str, Float[Tensor, "..."]]]:
    """Fields, and the error of the last one beside them."""
    if len(panels) < 2:
        return list(panels)
    error = (panels[-1][1] - panels[0][1]).abs().mean(-1, keepdim=True)
    label = f"error of {panels[-1][0].splitlines()[0]}\n(white: 0, black: 0.2 and more)"
    return [*panels, (label, 1 - 5 * error)]
