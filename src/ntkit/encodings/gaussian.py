"""Gaussian random Fourier features: one bandwidth, every direction."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import random_source
from ntkit.encodings.bandwidths import AbstractDraw

__all__ = ["Gaussian"]


class Gaussian(AbstractDraw):
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

    @staticmethod
    def _unit(m: int, d: int, generator: torch.Generator | None) -> Float[Tensor, "m d"]:
        return torch.randn(m, d, generator=random_source(generator))
