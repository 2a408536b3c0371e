"""Random Fourier features with as many frequencies in each octave."""

from collections.abc import Sequence
from math import log, sqrt

import torch

from ntkit._core.checks import number, positive_int, random_source
from ntkit.encodings.bandwidths import scaled, summary, widths
from ntkit.encodings.base import AbstractFourier

__all__ = ["LogUniform"]


class LogUniform(AbstractFourier):
    """Frequencies of either sign whose logarithm is even over `[top / ratio, top]`, along each axis.

    `top = bandwidth sqrt(2 ln(ratio) / (1 - ratio^-2))`, so that the standard deviation is
    `bandwidth`, as `Gaussian` has it. A random relative of `Positional`, one kernel for details of all
    sizes in the range. With many frequencies the correlation is a product over axes of
    `(Ci(s) - Ci(s / ratio)) / ln(ratio)`, `s = 2 pi top delta`, with the cosine integral `Ci`.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: `m`; the output has `2 m` features.
        bandwidth: Standard deviation of the frequencies, cycles per unit; one number, or one an
            axis.
        generator: Source of the draw. The same seed gives the same draw at every bandwidth.
        ratio: Largest over smallest size of a frequency, above 1.
        integer: Round the frequencies to whole cycles: period 1 along each axis. Those below 1/2
            become 0.

    Raises:
        ValueError: `ratio` is not a finite number above 1.

    Source: Tancik et al. 2020 (arXiv:2006.10739), figure 4, "Unif. log"; the ratio is an option here.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> sizes = LogUniform(1, 256, bandwidth=10.0, generator=g, ratio=64.0).frequencies.abs()
        >>> bool(sizes.max() / sizes.min() < 64)
        True
    """

    def __init__(
        self,
        in_dim: int,
        n_frequencies: int,
        bandwidth: float | Sequence[float],
        generator: torch.Generator | None = None,
        *,
        ratio: float = 100.0,
        integer: bool = False,
    ) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        deviations, spread = widths(bandwidth, d), number("ratio", ratio)
        if not 1 < spread < float("inf"):
            raise ValueError(
                f"`ratio={ratio!r}` must be a finite number above 1: largest over smallest frequency."
            )
        size, sign = torch.rand(2, m, d, generator=random_source(generator))
        top = sqrt(2 * log(spread) / (1 - spread**-2))
        unit = top * spread**-size * torch.where(sign < 0.5, -1.0, 1.0)
        super().__init__(scaled(unit, deviations, integer=integer))
        self.bandwidth: float | tuple[float, ...] = summary(deviations)
        self.ratio: float = spread
