"""Sines and cosines of units with means, in closed form."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted, ShiftedPairs

__all__ = ["ShiftedWave"]


@dataclass(frozen=True)
class ShiftedWave(AbstractShifted):
    """`a sin(f x + c)`, with `E[cos(f (X -+ Y))] = cos(f (m1 -+ m2)) exp(-f^2 E[(u -+ v)^2] / 2)`.

    Attributes:
        frequency: `f`.
        phase: `c`.
        amplitude: `a`.
    """

    frequency: float
    phase: float
    amplitude: float

    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """`a sin(f m + c) exp(-f^2 |u|^2 / 2)`."""
        wave = torch.sin(self.frequency * means + self.phase)
        return self.amplitude * wave * torch.exp(-((self.frequency * sd[..., None]) ** 2) / 2)

    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """`a^2 (1 - cos(2 f m + 2 c) exp(-2 f^2 |u|^2)) / 2`."""
        wave = torch.cos(2 * (self.frequency * means + self.phase)).mean(-1)
        lost = wave * torch.exp(-2 * (self.frequency * sd) ** 2)
        return self.amplitude**2 * (1 - lost) / 2

    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """Halves of the sum and of the difference of both waves."""
        pair, count = pairs.pair, pairs.first.shape[-1]
        apart = around = torch.zeros((), dtype=pair.cov.dtype, device=pair.cov.device)
        for one, two in pairs.channels():
            apart = apart + torch.cos(self.frequency * (one - two)).sum(0) / count
            around = (
                around + torch.cos(self.frequency * (one + two) + 2 * self.phase).sum(0) / count
            )
        square = self.frequency**2 / 2
        apart = apart * torch.exp(-square * pair.gap)
        around = around * torch.exp(-square * pair.total)
        height = self.amplitude**2 / 2
        return height * (apart - around), 2 * square * height * (apart + around)
