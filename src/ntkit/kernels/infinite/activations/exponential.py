"""Exponentials, and the one over its own length."""

from math import exp

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import (
    AbstractActivation,
    Dual,
    pair_in_double,
    rounded,
)
from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["ExponentialActivation", "NormalisedExponentialActivation"]


class ExponentialActivation(AbstractClosedForm):
    """`scale * exp(rate * x)`: `E[s s] = scale^2 exp(rate^2 E[(u + v)^2] / 2)`, `E[s' s'] = rate^2` of it.

    Source: the moment-generating function of a Gaussian.
    """

    def __init__(self, scale: float = 1.0, rate: float = 1.0) -> None:
        self.scale = scale
        self.rate = rate

    def variance(self, var: Tensor) -> Tensor:
        """`scale^2 exp(2 rate^2 var)`."""
        return self.scale**2 * torch.exp(2 * self.rate**2 * var)

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """One exponential."""
        cov = self.scale**2 * torch.exp(self.rate**2 / 2 * pair.total)
        return cov, self.rate**2 * cov if slope else None

    def fall(self, pair: Pair) -> Tensor:
        """`(exp(rate^2 apart / 2) - 1)` times the covariance."""
        cov, _ = self.moments(pair, slope=False)
        return cov * torch.expm1(self.rate**2 / 2 * pair.apart)

    def defect(self, var1: Tensor, var2: Tensor, over: Tensor) -> Tensor:
        """`scale^4 exp(rate^2 (|u| + |v|)^2) (exp(rate^2 (|u| - |v|)^2) - 1)`."""
        both = safe_sqrt(var1) + safe_sqrt(var2)
        spread = ((var1 - var2) / torch.where(both > 0, both, 1)) ** 2
        square = self.rate**2
        return self.scale**4 / over * torch.exp(square * both**2) * torch.expm1(square * spread)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.scale * torch.exp(self.rate * x)


class NormalisedExponentialActivation(AbstractActivation):
    """`|u| exp(sqrt(gamma) x / |u| + (shift - gamma) / 2)`, `|u|` the root mean square of the units.

    `E[s s] = |u||v| exp(gamma cos t + shift)`, `E[s' s'] = gamma exp(gamma cos t + shift)`: the length
    is a mean over many units, whose own derivative vanishes with the width.

    Source: Shankar et al. 2020 (arXiv:2003.02237), section 4; Mairal et al. 2014.
    """

    is_homogeneous = True

    is_elementwise = False

    def __init__(self, gamma: float = 1.0, shift: float = -1.0) -> None:
        self.gamma = gamma
        self.shift = shift

    def variance(self, var: Tensor) -> Tensor:
        """`var exp(gamma + shift)`."""
        return var * exp(self.gamma + self.shift)

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """The cosine less one from `apart`."""
        dtype, pair = pair.cov.dtype, pair_in_double(pair)
        norms = pair.norms
        alive = norms > 0
        turned = torch.where(alive, pair.apart / torch.where(alive, norms, 1), 2)  # 2 (1 - cos t)
        below = self.gamma / 2 * turned
        factor = exp(self.gamma + self.shift) * torch.exp(-below)
        apart = -2 * exp(self.gamma + self.shift) * norms * torch.expm1(-below)
        return rounded(Dual(norms * factor, self.gamma * factor if slope else None, apart), dtype)

    def value(self, x: Tensor) -> Tensor:
        """At unit length."""
        return torch.exp(self.gamma**0.5 * x + (self.shift - self.gamma) / 2)
