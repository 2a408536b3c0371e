"""Error bars: how far the field may lie from the estimate, at each point."""

from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.evidence import data_spectra
from ntkit.reconstruction.linear import at_once, kernel_fields
from ntkit.reconstruction.local_prior import LocalPrior
from ntkit.reconstruction.result import PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior

__all__ = ["deviation_of", "exact_deviation"]

_CHUNK = 32  # eigenvectors at a time, for the memory alone

_SAMPLES = 32
"""Of the posterior: the deviation at a point is known to an eighth of itself."""

_TOLERANCE, _EXCESS = 1e-4, 1.0  # of `kernel_fields`; 32 samples alone are off by an eighth
_FEWEST, _WORK = 120, 3e7
"""Iterations for the samples' problems, or as many as make so many numbers of the torus, if these are more: 480 for 128 x 128. What
they are short of the end makes the deviation 1 to 3 % too large, on CT with 1 % of noise."""


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
            system,
            prior,
            data.float(),
            [row.weight],
            tolerance=_TOLERANCE,
            excess=_EXCESS,
            iterations=most,
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
    (found,) = data_spectra(system, [prior], torch.arange(system.n_data))
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
