"""Gaussian Fourier features of several bandwidths at once."""

from collections.abc import Sequence

import torch

from ntkit._core.checks import entries, positive_int, random_source
from ntkit.encodings.bandwidths import scaled, summary, widths
from ntkit.encodings.base import AbstractFourier

__all__ = ["MultiBandwidth"]


class MultiBandwidth(AbstractFourier):
    """Frequencies drawn in equal parts from `N(0, s^2 I)` for each `s` of `bandwidths`.

    For signals that have both broad shapes and fine detail. With many frequencies the correlation is
    the mean of the Gaussian ones, `mean_s exp(-2 pi^2 s^2 |delta|^2)`.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: `m` in all; the output has `2 m` features. Where it cannot be divided evenly,
            the first bandwidths have one more each.
        bandwidths: Standard deviations, cycles per unit; each one number, or one an axis.
        generator: Source of the draw. The same seed gives the same directions at other bandwidths.
        integer: Round the frequencies to whole cycles: period 1 along each axis.

    Raises:
        ValueError: There are no bandwidths, or more of them than frequencies.

    Source: Wang, Wang and Perdikaris 2021 (arXiv:2012.10047), "multi-scale", there with a network for
        each bandwidth.

    Example:
        >>> import torch
        >>> g = torch.Generator().manual_seed(0)
        >>> encoding = MultiBandwidth(2, 256, [1.0, 10.0], generator=g)
        >>> [9 < float(part.std()) < 11 for part in encoding.frequencies.split(128)]
        [False, True]
    """

    def __init__(
        self,
        in_dim: int,
        n_frequencies: int,
        bandwidths: Sequence[float | Sequence[float]],
        generator: torch.Generator | None = None,
        *,
        integer: bool = False,
    ) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        every = [widths(bandwidth, d) for bandwidth in entries("bandwidths", bandwidths)]
        if not 1 <= len(every) <= m:
            raise ValueError(
                f"`bandwidths={bandwidths!r}` has {len(every)} entries for `n_frequencies={m}`. "
                "Pass at least one, and no more than there are frequencies."
            )
        parts = torch.randn(m, d, generator=random_source(generator)).tensor_split(len(every))
        pairs = zip(parts, every, strict=True)
        super().__init__(torch.cat([scaled(unit, s, integer=integer) for unit, s in pairs]))
        self.bandwidths: tuple[float | tuple[float, ...], ...] = tuple(map(summary, every))
