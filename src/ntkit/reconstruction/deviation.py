"""Error bars: how far the field may lie from the estimate, at each point."""

from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.reconstruction.evidence import data_spectrum, evidence
from ntkit.reconstruction.linear import at_once, kernel_fields
from ntkit.reconstruction.result import PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus, TorusPrior
from ntkit.reconstruction.variation import differences

__all__ = ["LocalPrior", "deviation_of", "exact_deviation", "local_prior"]

_CHUNK = 32

_SAMPLES = 32
"""Of the posterior: the deviation at a point is known to an eighth of itself."""

_TOLERANCE = 1e-4
_FEWEST, _WORK = 120, 3e7
"""Iterations for the samples' problems, or as many as make so many numbers of the torus, if these are more: 480 for 128 x 128. What
they are short of the end makes the deviation 1 to 3 % too large, on CT with 1 % of noise."""

_FLOORS, _BLURS = (0.1, 0.3, 1.0), (1.0, 2.0)


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
    best: tuple[LocalPrior, PriorRow] | None = None
    for blur in _BLURS:
        smooth = _blurred(steep, blur)
        for floor in _FLOORS:
            local = floor + smooth / smooth.square().mean().sqrt().clamp_min(1e-300)
            tried = LocalPrior(prior.name, prior, local)
            spectrum = data_spectrum(system, tried, rows)
            row = evidence(spectrum, y, None, is_complex=system.measurement.is_complex)
            if best is None or row.log_evidence > best[1].log_evidence:
                best = (tried, row)
    assert best is not None, "there are floors to try"
    return best


def deviation_of(
    system: System,
    prior: TorusPrior | LocalPrior,
    row: PriorRow,
    *,
    generator: torch.Generator,
    samples: int = _SAMPLES,
) -> Float[Tensor, "..."]:
    """Standard deviation of the field at each point, `[*shape]`, from samples of the posterior.

    Draws of the prior and of the noise, less what would be reconstructed of them: they are draws of the error.

    Args:
        system: The measurement.
        prior: Of the field.
        row: Its scale, and the noise's.
        generator: Source of the draws.
        samples: How many.

    Source: Matheron's rule; Wilson et al. 2020 (arXiv:2002.09309), eq. 8.

    Cost: `samples` linear problems, of up to some hundred products with `A` and `A^H` each.
    """
    shape = system.measurement.field_shape
    parts = 2 if system.measurement.is_complex else 1
    half = 0.5**0.5 if parts == 2 else 1.0
    square = torch.zeros(shape, dtype=torch.float64)
    size = at_once(prior.torus, parts)
    most = max(_FEWEST, int(_WORK / prod(prior.torus.lengths)))
    for first in range(0, samples, size):
        n = min(size, samples - first)
        drawn = half * prior.sample(n * parts, generator).reshape(n, parts, *shape)
        noise = torch.randn(n, parts, system.n_data, generator=generator, dtype=torch.float64)
        data = system.forward(drawn) + half * row.weight**0.5 * noise
        # Single precision: what is left of the problem is far above its rounding.
        found = kernel_fields(
            system, prior, data.float(), [row.weight], tolerance=_TOLERANCE, iterations=most
        )
        square += (drawn - found.fields[0].double()).square().sum((0, 1))
    return row.scale * (square / samples).sqrt()


def exact_deviation(
    system: System, prior: TorusPrior | LocalPrior, row: PriorRow
) -> Float[Tensor, "..."]:
    """The same without sampling: the square root of `s^2 diag(K - K A^H (A K A^H + a)^-1 A K)`, `[*shape]`.

    Args:
        system: The measurement.
        prior: Of the field.
        row: Its scale and weight.

    Cost: an eigenvalue problem of as many rows as there are data, and a product of each with `A^H` and `K`.
    """
    found = data_spectrum(system, prior, torch.arange(system.n_data))
    known = torch.zeros(system.measurement.field_shape, dtype=torch.float64)
    shares = 1 / (found.eigenvalues + row.weight)
    for vectors, share in zip(found.vectors.T.split(_CHUNK), shares.split(_CHUNK), strict=True):
        data = (
            torch.view_as_real(vectors).movedim(-1, 1) if vectors.is_complex() else vectors[:, None]
        )
        field = prior.covariance(system.adjoint(data))
        known += torch.einsum("c,cp...->...", share, field.square())
    before = prior.local**2 if isinstance(prior, LocalPrior) else torch.ones_like(known)
    return row.scale * (before - known).clamp_min(0).sqrt()


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
