"""A measurement as the solvers take it: batches of real fields to batches of real data, and what its curvature is like."""

from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ntkit.measurements import AbstractMeasurement, Fourier, NonuniformFourier
from ntkit.reconstruction.torus import Torus

__all__ = ["System"]

_SAFETY = 1.05
"""The largest ratio of the curvatures comes from power iterations, which end a little below it."""


@dataclass(frozen=True, eq=False)
class System:
    """`sqrt(w) A`, from fields `[c, p, *shape]` to data `[c, p, m]`, all real.

    `c` problems are carried through one product. The parts `p` are channels, of complex fields twice as many: real
    and imaginary parts.

    Attributes:
        measurement: `A`.
        weights: `[m]`, one over the noise's variance at each datum, relative; None where all are alike.
        group: `[m]`, the group of each datum, from 0 without gaps; of data of no weight any.
        is_wrapped: Whether waves are those of the grid itself: enough where no kernel is asked for, at a quarter of the work, in
            three dimensions an eighth.
    """

    measurement: AbstractMeasurement
    weights: Float[Tensor, " m"] | None
    group: Int[Tensor, " m"]
    is_wrapped: bool = False

    @property
    def has_one_coil(self) -> bool:
        """Whether the data are Fourier samples seen by one coil, or others of which none tells of another without a prior."""
        A = self.measurement
        if not A.is_complex or A.data_shape[1:] not in {(), (1,)}:
            return False
        return isinstance(A, Fourier | NonuniformFourier) or self.is_diagonal

    @cached_property
    def torus(self) -> Torus:
        """Around the grid of the field, or the grid itself."""
        shape = self.measurement.field_shape
        return Torus(shape, shape) if self.is_wrapped else Torus.around(shape)

    @property
    def n_data(self) -> int:
        """Measurements of one channel, `m`."""
        return prod(self.measurement.data_shape)

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1

    @cached_property
    def counts(self) -> Bool[Tensor, " m"]:
        """Which data have any weight."""
        return (
            torch.ones(self.n_data, dtype=torch.bool) if self.weights is None else self.weights > 0
        )

    @property
    def sees_something(self) -> bool:
        """Whether not all fields have data of zero: a random one tells."""
        return self.level > 0

    @cached_property
    def level(self) -> float:
        """About the mean of the diagonal of `A^H w A`, by the data of a random field."""
        parts = 2 if self.measurement.is_complex else 1
        draw = torch.Generator().manual_seed(0)
        shape = self.measurement.field_shape
        field = torch.randn(1, parts, *shape, generator=draw, dtype=torch.float64)
        return float(self.forward(field).square().sum() / field.square().sum())

    @cached_property
    def is_diagonal(self) -> bool:
        """Whether `A A^H` is a diagonal matrix, as of samples and of a single coil: two random vectors of data tell."""
        parts = 2 if self.measurement.is_complex else 1
        draw = torch.Generator().manual_seed(0)
        data = torch.randn(2, parts, self.n_data, generator=draw, dtype=torch.float64)
        first, second = image = self.forward(self.adjoint(data))
        crossed = first * data[1] - second * data[0]
        return float(crossed.norm()) <= 1e-8 * float(image.norm() * data.norm())

    def parts_of(self, values: Shaped[Tensor, "..."]) -> Float[Tensor, "p ..."]:
        """Channels of `[..., o]` first; complex ones as two."""
        first = values.movedim(-1, 0)
        return (
            torch.view_as_real(first).movedim(-1, 1).flatten(0, 1) if first.is_complex() else first
        )

    def whole_of(self, parts: Float[Tensor, "p ..."]) -> Shaped[Tensor, "..."]:
        """The opposite of `parts_of`: `[..., o]`."""
        if self.measurement.is_complex:
            parts = torch.view_as_complex(parts.unflatten(0, (-1, 2)).movedim(1, -1).contiguous())
        return parts.movedim(0, -1)

    def data_of(self, y: Shaped[Tensor, "..."]) -> Float[Tensor, "p m"]:
        """Data `[*data_shape, o]` as the solvers take them, weighted."""
        return self._weighted(self.parts_of(y).flatten(1))

    def forward(self, field: Float[Tensor, "c p ..."]) -> Float[Tensor, "c p m"]:
        """`sqrt(w) A f`."""
        found = self._through(field, self.measurement, self.measurement.field_shape)
        return self._weighted(found.flatten(2))

    def adjoint(self, data: Float[Tensor, "c p m"]) -> Float[Tensor, "c p ..."]:
        """`A^H sqrt(w) d`."""
        shaped = self._weighted(data).unflatten(-1, self.measurement.data_shape)
        return self._through(shaped, self.measurement.adjoint, self.measurement.data_shape)

    def _through(self, batch: Tensor, linear: object, shape: tuple[int, ...]) -> Tensor:
        cases, parts = batch.shape[:2]
        columns = self.whole_of(batch.flatten(0, 1).reshape(cases * parts, *shape))
        found = linear(columns)  # pyright: ignore[reportCallIssue]
        return self.parts_of(found).unflatten(0, (cases, parts))

    def _weighted(self, data: Tensor) -> Tensor:
        return data if self.weights is None else data * self.weights.sqrt().to(data)

    @cached_property
    def curvature(self) -> Float[Tensor, "..."]:
        """A circulant matrix that is not below `A^H w A`, by its spectrum on the torus, float64.

        Its shape over the length of the wave vector is a power of the response to one bright point about the middle: 1, 1/2
        or 0, whichever needs the least mean when it is made as large as it must be. For line integrals that is the
        ramp's inverse. Where the middle is not measured at all it is the same at all waves; also where `A A^H` is diagonal:
        its largest entry is the largest eigenvalue.
        """
        shape, parts = self.measurement.field_shape, 2 if self.measurement.is_complex else 1
        if self.is_diagonal:
            ones = torch.ones(1, parts, self.n_data, dtype=torch.float64)
            largest = self.forward(self.adjoint(ones)).abs().max()
            waves = (*self.torus.lengths[:-1], self.torus.lengths[-1] // 2 + 1)
            return (1 + 1e-6) * largest.expand(waves)  # not below it by rounding
        middle = self._measured_point()
        point = torch.zeros(1, parts, *shape, dtype=torch.float64)
        point[(0, 0, *middle)] = 1
        response = self.adjoint(self.forward(point))[0, 0]
        waves = self.torus.to_waves(response)
        for k, place in zip(self.torus.frequencies(), middle, strict=True):
            waves = waves * torch.exp(2j * torch.pi * k * place)
        shells = _over_shells(waves.real, self.torus)
        powers = (1.0, 0.5, 0.0) if float(shells.min()) > 0 else (0.0,)
        tried = [shells**power for power in powers]
        return min(
            (_SAFETY * self._ratio(c, parts) * c for c in tried), key=lambda c: float(c.mean())
        )

    def _measured_point(self) -> tuple[int, ...]:
        """The point nearest to the middle that the data depend on: a mask may leave the middle out."""
        shape, parts = self.measurement.field_shape, 2 if self.measurement.is_complex else 1
        generator = torch.Generator().manual_seed(1)
        field = torch.randn(1, parts, *shape, generator=generator, dtype=torch.float64)
        seen = self.adjoint(self.forward(field))[0].abs().sum(0) > 0
        axes = torch.meshgrid(*(torch.arange(n) - n // 2 for n in shape), indexing="ij")
        distance = torch.stack([axis.square() for axis in axes]).sum(0).double()
        nearest = int(distance.masked_fill(~seen, float("inf")).argmin())
        return tuple(int(k) for k in torch.unravel_index(torch.tensor(nearest), shape))

    def _ratio(self, spectrum: Tensor, parts: int) -> float:
        """The largest eigenvalue of `A^H w A` relative to a circulant matrix."""
        generator = torch.Generator().manual_seed(0)
        vector = torch.randn(
            1, parts, *self.torus.lengths, generator=generator, dtype=torch.float64
        )
        ratio = 1.0
        for _ in range(40):
            field = self.torus.crop(vector / vector.norm())
            image = self.torus.to_waves(self.adjoint(self.forward(field)))
            vector = self.torus.on_torus(image / spectrum)
            ratio = float(vector.norm())
            if ratio == 0:
                break
        return ratio


def _over_shells(spectrum: Tensor, torus: Torus) -> Tensor:
    """The mean over wave vectors of equal length, kept above a thousandth of the largest."""
    squares = torch.zeros(())
    for k, n in zip(torus.frequencies(), torus.lengths, strict=True):
        squares = squares + (k * n * max(torus.lengths) / n) ** 2
    shell = squares.sqrt().round().long().expand(spectrum.shape).flatten()
    sums = torch.zeros(int(shell.max()) + 1, dtype=spectrum.dtype)
    counts = torch.zeros_like(sums).index_add(0, shell, torch.ones_like(spectrum).flatten())
    means = sums.index_add(0, shell, spectrum.flatten()) / counts.clamp_min(1)
    return means.clamp_min(1e-3 * float(means.max()))[shell].reshape(spectrum.shape)
