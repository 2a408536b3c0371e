"""A stationary prior of fields on a grid, by its spectrum on a torus about twice as long."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.grids import Grid
from ntkit.kernels import AbstractKernel
from ntkit.kernels.base import as_stationary
from ntkit.operators.toeplitz import fast_length

__all__ = ["Torus", "TorusPrior", "WavePrior", "torus_prior"]


@dataclass(frozen=True)
class Torus:
    """A periodic grid that holds a grid of `shape` without its lags wrapping onto each other.

    Attributes:
        shape: Of the grid.
        lengths: Of the torus, at least `2 n - 1` an axis.
    """

    shape: tuple[int, ...]
    lengths: tuple[int, ...]

    @classmethod
    def around(cls, shape: Sequence[int]) -> "Torus":
        """The smallest one whose lengths the FFT is fast at."""
        return cls(tuple(shape), tuple(fast_length(2 * n - 1) for n in shape))

    @property
    def axes(self) -> tuple[int, ...]:
        """Those of the field, which come last."""
        return tuple(range(-len(self.shape), 0))

    def to_waves(self, field: Float[Tensor, "..."]) -> Tensor:
        """The Fourier coefficients `[..., k]` of a field that is zero off the grid; the first axes are padded last."""
        waves = torch.fft.rfftn(field, s=self.lengths[-2:], dim=self.axes[-2:])
        for axis, n in reversed(list(zip(self.axes[:-2], self.lengths[:-2], strict=True))):
            waves = torch.fft.fft(waves, n=n, dim=axis)
        return waves

    def on_grid(self, waves: Tensor) -> Float[Tensor, "..."]:
        """`crop(on_torus(waves))`, each axis cut as soon as it is back."""
        for axis, n in zip(self.axes[:-1], self.shape[:-1], strict=True):
            waves = torch.fft.ifft(waves, dim=axis).narrow(axis, 0, n)
        return torch.fft.irfft(waves, n=self.lengths[-1])[..., : self.shape[-1]]

    def on_torus(self, waves: Tensor) -> Float[Tensor, "..."]:
        """The field of the torus that has these coefficients."""
        return torch.fft.irfftn(waves, s=self.lengths, dim=self.axes)

    def crop(self, whole: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The part of a field of the torus that lies on the grid."""
        return whole[(..., *(slice(n) for n in self.shape))]

    def times(self, spectrum: Tensor, field: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """A circulant matrix, cut to the grid, times a field."""
        return self.on_grid(self.to_waves(field) * spectrum)

    def multiplicity(self, dtype: torch.dtype = torch.float64) -> Float[Tensor, " k"]:
        """How many waves each of the last axis stands for, in the layout of `to_waves`: its opposite is left out."""
        found = torch.full((self.lengths[-1] // 2 + 1,), 2.0, dtype=dtype)
        found[0] = 1
        if self.lengths[-1] % 2 == 0:
            found[-1] = 1
        return found

    def frequencies(self, dtype: torch.dtype = torch.float64) -> list[Tensor]:
        """Cycles per sample along each axis, in the layout of `to_waves`, ready to broadcast."""
        last = len(self.lengths) - 1
        found = []
        for axis, n in enumerate(self.lengths):
            k = (torch.fft.rfftfreq if axis == last else torch.fft.fftfreq)(n, dtype=dtype)
            found.append(k.reshape([-1 if i == axis else 1 for i in range(last + 1)]))
        return found


@runtime_checkable
class WavePrior(Protocol):
    """A prior that is diagonal in waves: `K = T S T^H` with a spectrum `S` and a map `T` of waves to fields."""

    @property
    def name(self) -> str:
        """Of the kernel."""
        ...

    @property
    def torus(self) -> Torus:
        """Where the waves are."""
        ...

    @property
    def spectrum(self) -> Float[Tensor, "..."]:
        """`S`, none below zero."""
        ...

    def of_waves(self, waves: Tensor) -> Float[Tensor, "..."]:
        """`T`: the field on the grid."""
        ...

    def to_waves(self, field: Float[Tensor, "..."]) -> Tensor:
        """The transpose of `T`."""
        ...


@dataclass(frozen=True, eq=False)
class TorusPrior:
    """A kernel, divided by its value at lag zero, on the torus of a grid.

    Attributes:
        name: Of the kernel.
        torus: Where it is periodic.
        spectrum: Its eigenvalues there, `[k]` in the layout of `rfftn`, float64, none below zero.
        clipped: Share of the spectrum's sum that was below zero, and is left out.
    """

    name: str
    torus: Torus
    spectrum: Float[Tensor, "..."]
    clipped: float

    def covariance(self, field: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The kernel's matrix on the grid times fields `[..., *shape]`."""
        return self.torus.times(self.spectrum.to(field), field)

    def of_waves(self, waves: Tensor) -> Float[Tensor, "..."]:
        """The field on the grid that is made of waves whose covariance is the spectrum."""
        return self.torus.on_grid(waves)

    def to_waves(self, field: Float[Tensor, "..."]) -> Tensor:
        """The transpose of `of_waves`."""
        return self.torus.to_waves(field)

    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "..."]:
        """Draws of the prior on the grid, `[count, *shape]`, float64."""
        white = torch.randn(count, *self.torus.lengths, generator=generator, dtype=torch.float64)
        waves = torch.fft.rfftn(white, dim=self.torus.axes) * self.spectrum.sqrt()
        return self.torus.crop(self.torus.on_torus(waves))


def torus_prior(kernel: AbstractKernel, grid: Grid, name: str = "") -> TorusPrior:
    """The prior of a stationary kernel on a grid.

    A kernel wrapped around a torus need not be positive definite, although it is one on the line: eigenvalues below
    zero are left out, and how much that is stands in `clipped`. Lags beyond the grid's are met by no pair of its points.

    Args:
        kernel: Stationary.
        grid: Points of the field, in the units that the kernel takes.
        name: What to call it; how it prints if left out.

    Raises:
        ValueError: The kernel is not stationary, or is zero at lag zero.

    Source: Dietrich and Newsam 1997, SIAM Journal on Scientific Computing 18(4) (circulant embedding).
    """
    stationary = as_stationary(kernel)
    if stationary is None:
        raise ValueError(
            f"`prior={kernel!r}` must be a stationary kernel (of the difference of points alone): an NTK on Fourier "
            "features, Matern, RBF, or a sum of such."
        )
    torus = Torus.around(grid.shape)
    lags = [
        step
        * torch.minimum(j := torch.arange(n, dtype=torch.float64), n - j)
        * torch.where(j > n // 2, -1.0, 1.0)
        for n, step in zip(torus.lengths, grid.spacing, strict=True)
    ]
    table = stationary.lag_table(lags).double().cpu()
    zero = float(table.flatten()[0])
    if not zero > 0:
        raise ValueError(
            f"`prior={kernel!r}` is {zero:g} at lag zero: it says that the field is known."
        )
    eigenvalues = torch.fft.rfftn(table / zero).real
    below = float(eigenvalues.clamp_max(0).abs().sum() / eigenvalues.abs().sum())
    return TorusPrior(name or repr(kernel), torus, eigenvalues.clamp_min(0), below)
