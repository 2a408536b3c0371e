"""Gabor functions: a sine under a Gaussian."""

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt
from ntkit.kernels.infinite.activations.reach import check_reach
from ntkit.kernels.infinite.activations.sinusoid import waves
from ntkit.kernels.infinite.activations.widened import Widened

__all__ = ["GaborActivation"]

_MOST = 1e49
"""Length of pairs: the slope falls as its sixth power."""


class GaborActivation(AbstractClosedForm):
    """`exp(-decay x^2) sin(frequency x)`.

    The Gaussian factor turns `(u, v)` of covariance `S` into a pair of covariance
    `(S^-1 + 2 decay I)^-1`, times one over the root of `det(I + 2 decay S)`; the sine sees that pair.

    Source: completing the square; the slope by Price's theorem.
    """

    is_odd = True

    def __init__(self, frequency: float = 1.0, decay: float = 1.0) -> None:
        self.frequency = frequency
        self.decay = decay

    def variance(self, var: Tensor) -> Tensor:
        """At `u = v`: the tilted variance is `var / (1 + 4 decay var)`."""
        wide = 1 + 4 * self.decay * var
        return -torch.expm1(-2 * self.frequency**2 * var / wide) / 2 * wide.rsqrt()

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """Those of the sine on the tilted pair."""
        tilted, d = self._tilted(pair)
        if slope or pair.cov.requires_grad:
            check_reach("Gabor", pair, 2 * self.decay, d, _MOST)
        sine, cosine = waves(tilted, self.frequency)
        if not slope:
            return sine / d, None
        # E[s' s'] is the derivative of E[s s] by the covariance (Price), every term of one sign: sums
        # of the sine's own moments cancel to nothing of theirs for long pairs.
        q, square = 2 * self.decay, self.frequency**2
        r = pair.cov / d
        wider = q + square / d * ((2 + q * (pair.var1 + pair.var2)) / d)
        derivative = (
            q * r * wider * (sine / d) + square * (1 / d + 2 * (q * r) * (q * r / d)) * cosine / d
        )
        return sine / d, derivative / d

    def fall(self, pair: Pair) -> Tensor:
        """Both exponentials as theirs at the angle 0 times an `expm1`."""
        q, square = 2 * self.decay, self.frequency**2
        wide = Widened(pair, q)
        d, d0 = wide.sine, wide.rise0 * wide.run0
        # (var1 var2 - cov^2) / d^2, with d^2 = d0^2 + q^2 (var1 var2 - cov^2); no square overflows
        area = (pair.apart / d) * (pair.together / d) / 4
        thinner = torch.log1p(wide.growth / d0)
        total = torch.zeros_like(area)
        for sign, start in ((1, pair.spread), (-1, pair.spread + 4 * pair.norms)):
            # E[(u -+ v)^2] of the tilted pair is start / d0^2 at the angle 0
            own = start * (q / d0) * (q / d0)
            rise = (2 * q * area + sign * pair.apart / d / d) - own * area
            lost = -torch.expm1(-square / 2 * rise - thinner)
            total = total + sign * lost * torch.exp(-square / 2 * start / d0 / d0)
        return total / (2 * d0)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return torch.exp(-self.decay * x**2) * torch.sin(self.frequency * x)

    def _tilted(self, pair: Pair) -> tuple[Pair, Tensor]:
        q = 2 * self.decay
        d = Widened(pair, q).sine
        area = (pair.apart / d) * (pair.together / d) / 4  # (var1 var2 - cov^2) / d^2
        var1, var2 = pair.var1 / d / d + q * area, pair.var2 / d / d + q * area
        cov, norms = pair.cov / d / d, safe_sqrt(var1) * safe_sqrt(var2)
        wider = 2 * (norms + cov.abs())
        narrower = 4 * area / torch.where(wider > 0, wider, 1)
        apart = torch.where(cov > 0, narrower, wider)
        together = torch.where(cov > 0, wider, narrower)
        return Pair(cov, apart, together, var1, var2), d
