"""Random Fourier features with a few frequencies far above the rest."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import random_source
from ntkit.encodings.bandwidths import AbstractDraw

__all__ = ["Laplace"]


class Laplace(AbstractDraw):
    """Frequencies drawn from Laplace's density `exp(-sqrt(2) |b| / bandwidth)` along each axis.

    The standard deviation is `bandwidth`, as `Gaussian` has it; more frequencies lie near zero, and
    more far out. With many frequencies the correlation is a product over axes of `1 / (1 + s^2 / 2)`,
    `s = 2 pi bandwidth delta`: narrow at the top, with a long tail.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: `m`; the output has `2 m` features.
        bandwidth: Standard deviation of the frequencies, cycles per unit; one number, or one an
            axis.
        generator: Source of the draw. The same seed gives the same draw at every bandwidth.
        integer: Round the frequencies to whole cycles: period 1 along each axis.

    Source: Tancik et al. 2020 (arXiv:2006.10739), figure 4, "Laplacian".

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> Laplace(2, 256, bandwidth=10.0, generator=g)(torch.rand(5, 2)).shape
        torch.Size([5, 512])
    """

    @staticmethod
    def _unit(m: int, d: int, generator: torch.Generator | None) -> Float[Tensor, "m d"]:
        above, below = torch.empty(2, m, d).exponential_(generator=random_source(generator))
        # The difference of two exponential numbers is Laplace's, with variance 2.
        return (above - below) / 2**0.5
