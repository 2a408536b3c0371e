"""Piecewise linear functions of units with means, in closed form."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted, ShiftedPairs
from ntkit.kernels.infinite.activations.shifted.quadrants import Quadrants, normal, over, ramp

__all__ = ["Ramps", "as_ramps"]

_LINEAR = 1e-11
"""Difference, over the size of the values, from which a function between two kinks is no line."""


@dataclass(frozen=True)
class Ramps(AbstractShifted):
    """`start + slope x + sum_i bends_i max(x - kinks_i, 0)`.

    Attributes:
        start: At zero, of the line.
        slope: Of the line.
        kinks: Where it bends.
        bends: By how much.
    """

    start: float
    slope: float
    kinks: tuple[float, ...]
    bends: tuple[float, ...]

    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """The line's value, and `E[X+] = m F(h) + |u| f(h)` of each ramp."""
        sd = sd[..., None]
        found = self.start + self.slope * means
        for t, bend in zip(self.kinks, self.bends, strict=True):
            found = found + bend * ramp(sd, means - t)
        return found

    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """Of a unit with itself, whose angle is zero."""
        zero, var = torch.zeros_like(sd)[:, None], (sd**2)[:, None]
        alone = ShiftedPairs(Pair(var, zero, 4 * var, var, var), means, None, "each")
        return self.moments(alone)[0][:, 0]

    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """Channel by channel.

        Raises:
            UnsupportedLayerError: Gradients are asked for.
        """
        pair, count = pairs.pair, pairs.first.shape[-1]
        tables = (pair.cov, pair.var1, pair.var2, pairs.first)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tables):
            raise UnsupportedLayerError(
                "A gradient of an infinite-width kernel was asked for, where units with a known mean go "
                "through a nonlinearity that bends (ReLU): only values have a formula. Take differences "
                "of values, or a smooth nonlinearity (`nn.GELU`)."
            )
        angles = Quadrants.of(pair)
        cov = slope = torch.zeros((), dtype=pair.cov.dtype, device=pair.cov.device)
        for one, two in pairs.channels():
            some, slopes = self._moments(angles, one, two)
            cov, slope = cov + some.sum(0), slope + slopes.sum(0)
        return cov / count, slope / count

    def _moments(self, angles: "Quadrants", one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Of one channel: lines with lines, lines with ramps, ramps with ramps."""
        sd1, sd2, cov = angles.sd1, angles.sd2, angles.cov
        start, slope = self.start, self.slope
        found = (start + slope * one) * (start + slope * two) + slope**2 * cov
        slopes = slope**2 + torch.zeros_like(found)
        ramps = list(zip(self.kinks, self.bends, strict=True))
        for t, bend in ramps:
            for sd, here, there in ((sd1, one, two), (sd2, two, one)):
                share = normal(over(here - t, sd))
                line = (start + slope * there) * ramp(sd, here - t) + slope * cov * share
                found = found + bend * line
                slopes = slopes + bend * slope * share
        for t, bend in ramps:
            for t2, bend2 in ramps:
                both, positive = angles.ramps(one - t, two - t2)
                found = found + bend * bend2 * both
                slopes = slopes + bend * bend2 * positive
        return found, slopes


def as_ramps(activation: AbstractActivation, kinks: list[float]) -> Ramps | None:
    """The function as a line and ramps; None where it is something else."""
    ends = [kinks[0] - 8.0, *kinks, kinks[-1] + 8.0]
    starts, slopes = [], []
    for low, high in pairwise(ends):
        x = low + (high - low) * torch.tensor([0.02, 0.25, 0.5, 0.71, 0.98], dtype=torch.float64)
        y = activation.value(x)
        slope = float((y[-1] - y[0]) / (x[-1] - x[0]))
        start = float(y[0] - slope * x[0])
        size = float(y.abs().max()) + abs(slope) * float(x.abs().max()) + 1e-300
        if float((y - start - slope * x).abs().max()) > _LINEAR * size:
            return None
        starts.append(start)
        slopes.append(slope)
    bends = tuple(after - before for before, after in pairwise(slopes))
    lines = list(zip(starts, slopes, strict=True))
    for t, ((start, slope), (start2, slope2)) in zip(kinks, pairwise(lines), strict=True):
        if abs(start + slope * t - start2 - slope2 * t) > _LINEAR * (1 + abs(start) + abs(start2)):
            return None  # a jump
    return Ramps(starts[0], slopes[0], tuple(kinks), bends)
