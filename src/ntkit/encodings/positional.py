"""The positional encoding of the Fourier-features paper: log-spaced frequencies along each axis."""

import torch

from ntkit._core.checks import positive, positive_int
from ntkit.encodings.base import AbstractFourier

__all__ = ["Positional"]


class Positional(AbstractFourier):
    """Log-spaced frequencies an axis: `b = max_frequency^(j/m) e_i`, `j = 0..m-1`.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: Frequencies an axis, `m`; the output has `2 m d` features.
        max_frequency: Cycles per unit; the highest frequency used is `max_frequency^((m-1)/m)`.

    Source: Tancik et al. 2020 (arXiv:2006.10739), section 6, "Positional encoding".

    Example:
        >>> Positional(1, n_frequencies=2, max_frequency=16.0).frequencies
        tensor([[1.],
                [4.]])
    """

    def __init__(self, in_dim: int, n_frequencies: int, max_frequency: float) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        top = positive("max_frequency", max_frequency)
        scales = top ** (torch.arange(m, dtype=torch.float64) / m)
        super().__init__(torch.kron(scales[:, None], torch.eye(d).double()).float())
        self.max_frequency = top
