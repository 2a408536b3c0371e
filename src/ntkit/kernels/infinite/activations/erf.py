"""The error function, scaled and shifted: also the sigmoid's look-alike."""

from math import pi

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.widened import Widened

__all__ = ["ErfActivation"]


class ErfActivation(AbstractClosedForm):
    """`scale * erf(rate * x) + shift`.

    With `q = 2 rate^2`, `sin a = q cov / sqrt((1 + q var1)(1 + q var2))`:
    `E[erf erf] = 2 a / pi`, `E[erf' erf'] = 2 q / (pi sqrt((1 + q var1)(1 + q var2)) cos a)`.

    Source: Williams 1997, eq. 11.
    """

    def __init__(self, scale: float = 1.0, rate: float = 1.0, shift: float = 0.0) -> None:
        self.scale = scale
        self.rate = rate
        self.shift = shift
        self.is_odd: bool = shift == 0

    def variance(self, var: Tensor) -> Tensor:
        """`scale^2 (2 / pi) asin(q var / (1 + q var)) + shift^2`."""
        wide = 2 * self.rate**2 * var
        return self.scale**2 * 2 / pi * torch.atan2(wide, (1 + 2 * wide).sqrt()) + self.shift**2

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """The angle from its sine and cosine, neither a difference."""
        q, wide = 2 * self.rate**2, Widened(pair, 2 * self.rate**2)
        cov = self.scale**2 * 2 / pi * torch.atan2(q * pair.cov, wide.sine) + self.shift**2
        return cov, self.scale**2 * 2 / pi * q / wide.sine if slope else None

    def fall(self, pair: Pair) -> Tensor:
        """`(2 / pi) (a(0) - a(t))`."""
        return self.scale**2 * 2 / pi * Widened(pair, 2 * self.rate**2).turn

    def quick(
        self, cov: Tensor, var1: Tensor, var2: Tensor, ntk: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """One arc sine and one root an entry."""
        q = 2 * self.rate**2
        left, right = (1 + q * var1).rsqrt(), (1 + q * var2).rsqrt()
        sine = (cov * (q * left)).mul_(right).clamp_(-1, 1)
        moment = torch.asin(sine).mul_(self.scale**2 * 2 / pi)
        if self.shift:
            moment.add_(self.shift**2)
        if ntk is None:
            return moment, None
        derivative = sine.mul_(sine).neg_().add_(1).rsqrt_()
        derivative.mul_(left * (self.scale**2 * 2 / pi * q)).mul_(right)
        return moment, derivative.mul_(ntk)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.scale * torch.erf(self.rate * x) + self.shift
