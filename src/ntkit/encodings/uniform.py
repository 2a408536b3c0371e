"""Random Fourier features with frequencies from a box."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import random_source
from ntkit.encodings.bandwidths import AbstractDraw

__all__ = ["Uniform"]


class Uniform(AbstractDraw):
    """Frequencies drawn evenly from `[-sqrt(3), sqrt(3)] * bandwidth` along each axis.

    The box has the standard deviation `bandwidth`, as `Gaussian` has it, and no frequency above
    `sqrt(3) * bandwidth`. With many frequencies the correlation is a product over axes of
    `sin(s) / s`, `s = sqrt(3) 2 pi bandwidth delta`: the kernel of a low-pass filter, which rings.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: `m`; the output has `2 m` features.
        bandwidth: Standard deviation of the frequencies, cycles per unit; one number, or one an
            axis.
        generator: Source of the draw. The same seed gives the same draw at every bandwidth.
        integer: Round the frequencies to whole cycles: period 1 along each axis.

    Source: Tancik et al. 2020 (arXiv:2006.10739), figure 4, "Unif.".

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = Uniform(2, 256, bandwidth=10.0, generator=g)
        >>> bool(encoding.frequencies.abs().max() < 10 * 3**0.5)
        True
    """

    @staticmethod
    def _unit(m: int, d: int, generator: torch.Generator | None) -> Float[Tensor, "m d"]:
        return 3**0.5 * (2 * torch.rand(m, d, generator=random_source(generator)) - 1)
