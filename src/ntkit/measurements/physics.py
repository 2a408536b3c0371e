"""A physics as deepinv has it, a map of batches with its adjoint, as a measurement."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from ntkit._core.checks import per_axis, positive, positive_int
from ntkit.grids import Grid
from ntkit.measurements.base import AbstractMeasurement, Composed, numbered
from ntkit.measurements.blocks import blocks_of
from ntkit.measurements.channels import Channels
from ntkit.measurements.coils import as_complex
from ntkit.measurements.fourier import Fourier
from ntkit.measurements.linear import linear
from ntkit.measurements.rows import rows_of

__all__ = ["LinearMaps", "Physics"]

_POINTS = 2**20
"""Of all fields in one product: some hundred MB where it turns a picture to thirty angles at once."""

_NOTHING = 100
"""Times the rounding error of the largest datum: what no field reaches further is not measured."""


@runtime_checkable
class LinearMaps(Protocol):
    """What a physics has: maps of batches `[b, c, *field]` to `[b, *measured]`, and back."""

    def A(self, x: Any, /) -> Any:
        """Measure."""
        ...

    def A_adjoint(self, y: Any, /) -> Any:
        """The adjoint."""
        ...


class Physics(AbstractMeasurement):
    """What a linear physics of deepinv measures, or anything with `A` and `A_adjoint` of batches.

    Places of the physics' measurements that no field reaches, as where a mask is zero, are left out. What remains is
    `[n]`, or `[n, coils]` of complex fields whose measurements have one axis more than the field, the first.

    The physics computes in its own dtype and on its own device; answers have those of what is given.

    Args:
        physics: `A(x)` of `[b, channels, *shape]` is `[b, *measured_shape]`, for any `b`; `A_adjoint` goes back.
        shape: Shape of the field.
        measured_shape: Shape of the measurements of one item of a batch. The first axis is that of channels, except
            where there is one channel.
        channels: How many the physics takes. All are measured alike, each by itself.
        channel: Number of the only one to measure, where channels are not measured alike.
        is_complex: Whether two channels are the real and the imaginary part of a complex field, as in deepinv's MRI.
        groups: What is held out together: a number for each place of the measurements, without the axes of channels
            and coils; or that axis of these along which the groups are, as the angles of a scan. By default lines of
            k-space for complex fields, as `Fourier` has them, else about 64 blocks.
        spacing: Size of a pixel along each axis, or of all; only ratios matter. Square by default.
        dtype: In which the physics computes.
        device: On which it does.

    Raises:
        ValueError: The shapes, channels or groups do not fit each other, or no field reaches any place.

    Example:
        >>> class Halves:
        ...     def A(self, x):
        ...         return x[..., ::2]
        ...
        ...     def A_adjoint(self, y):
        ...         return torch.stack([y, 0 * y], -1).flatten(-2)
        >>> A = Physics(Halves(), (4, 6), (1, 4, 3))
        >>> A(torch.arange(24.0).reshape(4, 6, 1))[:4, 0]
        tensor([0., 2., 4., 6.])
    """

    def __init__(
        self,
        physics: LinearMaps,
        shape: Sequence[int],
        measured_shape: Sequence[int],
        *,
        channels: int = 1,
        channel: int | None = None,
        is_complex: bool = False,
        groups: Int[Tensor, "..."] | int | None = None,
        spacing: float | Sequence[float] = 1.0,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.physics = physics
        self.field_shape: tuple[int, ...] = tuple(positive_int("shape", n) for n in shape)
        self.is_complex = is_complex
        self.dtype: torch.dtype = torch.complex128 if is_complex else torch.float64
        self._physics_dtype, self._device = dtype, torch.device(device)
        self._pixel = [positive("spacing", s) for s in per_axis(spacing, len(self.field_shape))]
        channels = positive_int("channels", channels)
        measured = tuple(positive_int("measured_shape", n) for n in measured_shape)
        first = measured[:1]
        own = channels > 1 or (first == (1,) and len(measured) > 1)  # an axis of channels
        fits = len(self._pixel) == len(self.field_shape) and (channels == 2 or not is_complex)
        if not fits or not measured or (own and first != (channels,)):
            raise ValueError(
                f"`shape={self.field_shape}`, `measured_shape={measured}`, `channels={channels}`, `spacing={spacing!r}` and "
                f"`is_complex={is_complex}` do not fit: of several channels the first axis of measurements is theirs, a "
                "complex field has two, and `spacing` is one number or one an axis."
            )
        if channel is not None and (is_complex or not 0 <= channel < channels):
            raise ValueError(f"`channel={channel}` must be one of {channels} of a real field.")
        self._channels = Channels(channels, channel, is_complex)
        self._measured, self._places = measured, measured[1:] if own else measured
        self._coils = is_complex and len(self._places) == len(self.field_shape) + 1
        self._index = self._seen().nonzero()[:, 0]
        if not len(self._index):
            raise ValueError("`physics.A(x)` is zero everywhere for a random `x`.")
        coils = self._places[:1] if self._coils else ()
        self.data_shape: tuple[int, ...] = (len(self._index), *coils)
        self._labels = self._group_of(groups)

    @property
    def device(self) -> torch.device:
        """Where the physics computes."""
        return self._device

    @property
    def grid(self) -> Grid:
        """The field's points, in units of the longest side."""
        longest = max(n * s for n, s in zip(self.field_shape, self._pixel, strict=True))
        return Grid(self.field_shape, spacing=[s / longest for s in self._pixel])

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """As asked for."""
        return self._labels

    def gather(self, y: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """The data `[*data_shape, o]` of measurements `[*measured_shape]` of one item, in the layout of the physics.

        Raises:
            ValueError: They have another shape.
        """
        if tuple(y.shape) != self._measured:
            raise ValueError(f"`y` has shape {tuple(y.shape)}; {self._measured} is needed.")
        return self._data_of(self._columns_of(y[None], self._channels.count)).movedim(0, -1)

    def image(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """One item `[channels, *shape]`, as the physics takes it, of a field `[*shape, o]`; a channel left out is zero."""
        self._check("field", field, self.field_shape)
        return self._channels.packed(field.movedim(-1, 0))[0]

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return linear(self._there, self._back, field)

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return linear(self._back, self._there, data)

    def _there(self, field: Tensor) -> Tensor:
        def measure(columns: Tensor) -> Tensor:
            found = self.physics.A(self._channels.packed(columns))
            return self._data_of(self._columns_of(found, len(columns)))

        return self._through(measure, field)

    def _back(self, data: Tensor) -> Tensor:
        def back(columns: Tensor) -> Tensor:
            batch = self._channels.packed(self._places_of(columns))
            found = self.physics.A_adjoint(batch.reshape(-1, *self._measured))
            return self._channels.unpacked(found, len(columns))

        return self._through(back, data)

    def _through(self, linear_map: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
        """A map of columns `[o, ...]`, some at a time, in the dtype and on the device of the physics."""
        if value.is_complex() and not self.is_complex:
            parts = self._through(linear_map, torch.cat([value.real, value.imag], -1))
            return torch.complex(*parts.chunk(2, -1))
        value = as_complex(value) if self.is_complex else value
        dtype = torch.promote_types(self._physics_dtype, torch.complex32)
        columns = value.movedim(-1, 0).to(
            self._device, dtype if self.is_complex else self._physics_dtype
        )
        at_once = max(1, _POINTS // prod(self.field_shape))
        with torch.no_grad():
            found = torch.cat([linear_map(part) for part in columns.split(at_once)])
        return found.to(value.device, value.dtype).movedim(0, -1)

    def _columns_of(self, y: Tensor, n: int) -> Tensor:
        """Measurements `[b, *measured_shape]` as columns `[n, *places]`."""
        return self._channels.unpacked(y.reshape(-1, self._channels.count, *self._places), n)

    def _data_of(self, measured: Tensor) -> Tensor:
        """Those of `[o, *places]` that are measured, `[o, *data_shape]`."""
        if self._coils:
            return measured.flatten(2)[..., self._index].movedim(1, -1)
        return measured.flatten(1)[:, self._index]

    def _places_of(self, data: Tensor) -> Tensor:
        """The opposite, zero where nothing is measured."""
        rows = data.movedim(-1, 1) if self._coils else data
        size = prod(self._places[1:] if self._coils else self._places)
        empty = rows.new_zeros(*rows.shape[:-1], size)
        empty[..., self._index] = rows
        return empty.reshape(len(data), *self._places)

    def _seen(self) -> Bool[Tensor, " m"]:
        """Whether each place (of any coil) is reached by random fields.

        Raises:
            ValueError: Measurements have another shape.
        """
        generator = torch.Generator().manual_seed(0)
        shape = (3, self._channels.count, *self.field_shape)
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            y = self.physics.A(x.to(self._device, self._physics_dtype))
        if tuple(y.shape) != (3, *self._measured):
            raise ValueError(
                f"`physics.A(x)` of `x` {tuple(x.shape)} has shape {tuple(y.shape)}; {(3, *self._measured)} was to be "
                "expected from `measured_shape`. A physics that keeps parameters for each item of a batch must be cut to "
                "one item."
            )
        size = self._columns_of(y, 3 * self._channels.count).abs()
        size = size.flatten(2).amax((0, 1)) if self._coils else size.flatten(1).amax(0)
        return size > _NOTHING * torch.finfo(self._physics_dtype).eps * size.max()

    def _group_of(self, groups: Int[Tensor, "..."] | int | None) -> Int[Tensor, " n"]:
        """The group of each row.

        Raises:
            ValueError: There is no such axis, or there are not as many numbers as places.
        """
        places = self._places[1:] if self._coils else self._places
        if groups is None:
            if self.is_complex and places == self.field_shape:
                return Fourier(places, self._index).groups
            return blocks_of(places, self._index)
        if isinstance(groups, int):
            if not -len(places) <= groups < len(places):
                raise ValueError(f"`groups={groups}` is no axis of measurements {places}.")
            size = places[groups]
            groups = torch.arange(size).reshape([
                size if k == groups % len(places) else 1 for k in range(len(places))
            ])
            groups = groups.expand(places)
        if tuple(groups.shape) != places:
            raise ValueError(
                f"`groups` has shape {tuple(groups.shape)}; a number for each of {places} is needed, or an axis of these."
            )
        return numbered(groups.to(self._device).flatten()[self._index])

    def __getitem__(self, rows: slice | Tensor) -> Composed:
        """Some of the rows, after all are computed."""
        return rows_of(self, rows)

    def __repr__(self) -> str:
        name = type(self.physics).__name__
        return f"Physics({name}, field of {self.field_shape}, data {self.data_shape})"
