"""Gaussian random Fourier features: one bandwidth, every direction."""

from collections.abc import Sequence

import torch

from ntkit._core.checks import positive_int
from ntkit.encodings.bandwidths import scaled, summary, widths
from ntkit.encodings.base import AbstractFourier

__all__ = ["Gaussian"]


class Gaussian(AbstractFourier):
    """Frequencies drawn from `N(0, bandwidth^2 I)`, in cycles per unit of coordinate.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: `m`; the output has `2 m` features.
        bandwidth: Standard deviation of the frequencies, cycles per unit; one number, or one an
            axis.
        generator: Source of the draw. The same seed gives the same directions at every bandwidth.
        integer: Round the frequencies to whole cycles, so that the encoding has period 1 along
            each axis (the periodic grid engine needs this).

    Source: Tancik et al. 2020 (arXiv:2006.10739), section 6, "Gaussian".

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = Gaussian(2, 256, bandwidth=10.0, generator=g)
        >>> encoding(torch.rand(5, 2)).shape
        torch.Size([5, 512])
        >>> float(encoding.correlation(torch.zeros(2)))
        1.0
    """

    def __init__(
        self,
        in_dim: int,
        n_frequencies: int,
        bandwidth: float | Sequence[float],
        generator: torch.Generator | None = None,
        *,
        integer: bool = False,
    ) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        deviations = widths(bandwidth, d)
        unit = torch.randn(m, d, generator=generator)
        super().__init__(scaled(unit, deviations, integer=integer))
        self.bandwidth = summary(deviations)
