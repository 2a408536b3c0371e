"""Gaussian bumps."""

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.reach import check_reach
from ntkit.kernels.infinite.activations.widened import Widened

__all__ = ["GaussianActivation"]

_MOST = 1e74
"""Length of pairs: the slope falls as its fourth power."""


class GaussianActivation(AbstractClosedForm):
    """`scale * exp(-decay x^2)`, `decay > 0`.

    With `q = 2 decay`, `d^2 = (1 + q var1)(1 + q var2) - q^2 cov^2`:
    `E[s s] = scale^2 / d`, `E[s' s'] = scale^2 q^2 cov / d^3`.

    Source: Williams 1997, section 3.2; the integral of a Gaussian.
    """

    is_even = True

    def __init__(self, scale: float = 1.0, decay: float = 1.0) -> None:
        self.scale = scale
        self.decay = decay

    def variance(self, var: Tensor) -> Tensor:
        """`scale^2 / sqrt(1 + 4 decay var)`."""
        return self.scale**2 * torch.rsqrt(1 + 4 * self.decay * var)

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """The determinant as a product of two sums."""
        q = 2 * self.decay
        d = Widened(pair, q).sine
        if slope or pair.cov.requires_grad:
            check_reach("Gaussian", pair, q, d, _MOST)
        inverse = 1 / d
        cov = self.scale**2 * inverse
        return cov, self.scale**2 * (q * pair.cov * inverse) * (
            q * inverse
        ) * inverse if slope else None

    def fall(self, pair: Pair) -> Tensor:
        """`scale^2 (1 / d(0) - 1 / d(t))`."""
        wide = Widened(pair, 2 * self.decay)
        return self.scale**2 * wide.growth / wide.sine / (wide.rise0 * wide.run0)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.scale * torch.exp(-self.decay * x**2)
