"""A prior whose scale follows the slopes of an estimate, so that error bars are wide at edges."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.reconstruction.evidence import (
    evidence,
    images_among,
    no_images,
    spectrum_of,
    units_among,
)
from ntkit.reconstruction.result import PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus, TorusPrior
from ntkit.reconstruction.variation import differences

__all__ = ["LocalPrior", "local_prior"]

_FLOORS, _BLURS = (0.1, 0.3, 1.0), (1.0, 2.0)
"""Six priors, between which the evidence decides: what is added to slopes of mean square one, from nearly nothing to as much as
they are, and the widths in samples by which they are blurred."""


@dataclass(frozen=True, eq=False)
class LocalPrior:
    """`D K D`: a stationary prior whose standard deviation differs from point to point.

    Attributes:
        name: Of the kernel.
        prior: `K`.
        local: `[*shape]`, the diagonal of `D`.
    """

    name: str
    prior: TorusPrior
    local: Float[Tensor, "..."]

    def covariance(self, field: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """`D K D f`."""
        local = self.local.to(field)
        return local * self.prior.covariance(local * field)

    @property
    def torus(self) -> Torus:
        """That of `K`."""
        return self.prior.torus

    @property
    def spectrum(self) -> Float[Tensor, "..."]:
        """That of `K`."""
        return self.prior.spectrum

    def of_waves(self, waves: Tensor) -> Float[Tensor, "..."]:
        """The field on the grid that is made of waves whose covariance is the spectrum."""
        made = self.prior.of_waves(waves)
        return self.local.to(made) * made

    def to_waves(self, field: Float[Tensor, "..."]) -> Tensor:
        """The transpose of `of_waves`."""
        return self.prior.to_waves(self.local.to(field) * field)

    def sample(self, count: int, generator: torch.Generator) -> Float[Tensor, "..."]:
        """Draws, `[count, *shape]`."""
        return self.local * self.prior.sample(count, generator)


def local_prior(
    system: System,
    prior: TorusPrior,
    estimate: Float[Tensor, "p ..."],
    y: Float[Tensor, "p m"],
    rows: Int[Tensor, " n"],
) -> tuple[LocalPrior, PriorRow]:
    """The prior whose local scale follows the slopes of an estimate, and what the data say of it.

    `D` is a floor plus the smoothed length of the gradient; the floor and the smoothing are those of largest marginal
    likelihood. The estimate comes from the same data, which are thus used twice.

    Args:
        system: The measurement.
        prior: The stationary one.
        estimate: Of the field, less its mean.
        y: Data less the mean's, weighted.
        rows: The data that are looked at.
    """
    ndim = len(prior.torus.shape)
    steep = differences(estimate, ndim).square().sum((0, 1)).sqrt().double()
    smooth = [_blurred(steep, blur) for blur in _BLURS]
    smooth = [s / s.square().mean().sqrt().clamp_min(1e-300) for s in smooth]
    found: list[tuple[LocalPrior, PriorRow]] = []
    plain, mixed, scaled = _images(system, prior, smooth, rows)
    for local, mix, scale in zip(smooth, mixed, scaled, strict=True):
        for floor in _FLOORS:
            images = floor**2 * plain + floor * (mix + mix.mH) + scale
            spectrum = spectrum_of(prior.name, rows, images)
            row = evidence(spectrum, y, None, is_complex=system.measurement.is_complex)
            found.append((LocalPrior(prior.name, prior, floor + local), row))
    return max(found, key=lambda pair: pair[1].log_evidence)


def _images(
    system: System,
    prior: TorusPrior,
    scales: Sequence[Float[Tensor, "..."]],
    rows: Int[Tensor, " n"],
) -> tuple[Tensor, Tensor, Tensor]:
    """Of `A K A^H`, and for each scale `D` of `A K D A^H` and `A D K D A^H`, the images of unit data at the rows, at the rows."""
    (plain,) = no_images(system, 1, rows)
    mixed, scaled = (no_images(system, len(scales), rows) for _ in range(2))
    for own, unit in units_among(system, rows):
        back = system.adjoint(unit)
        plain[own] = images_among(system, prior.covariance(back), rows)
        for local, mix, scale in zip(scales, mixed, scaled, strict=True):
            field = prior.covariance(local * back)
            mix[own] = images_among(system, field, rows)
            scale[own] = images_among(system, local * field, rows)
    return plain, mixed, scaled


def _blurred(field: Float[Tensor, "..."], sigma: float) -> Float[Tensor, "..."]:
    """A Gaussian mean over neighbours, mirrored at the edges."""
    reach = int(3 * sigma) + 1
    offsets = torch.arange(-reach, reach + 1, dtype=field.dtype)
    taps = torch.exp(-0.5 * (offsets / sigma) ** 2)
    taps = taps / taps.sum()
    for axis in range(field.ndim):
        n = field.shape[axis]
        places = torch.arange(n)[:, None] + offsets.long()
        places = torch.where(places < 0, -1 - places, places)
        places = torch.where(places >= n, 2 * n - 1 - places, places).clamp(0, n - 1)
        moved = field.movedim(axis, -1)[..., places]
        field = (moved * taps).sum(-1).movedim(-1, axis)
    return field
