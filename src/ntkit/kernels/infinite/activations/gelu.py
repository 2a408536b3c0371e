"""GELU, `x Phi(x)`, exactly."""

from math import pi

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.piecewise_linear import remainder
from ntkit.kernels.infinite.activations.widened import Widened

__all__ = ["GELU"]


class GELU(AbstractClosedForm):
    """`x Phi(x)` with the normal distribution function `Phi`.

    With `g^2 = (1 + var1)(1 + var2)`, `d^2 = g^2 - cov^2` and `cos b = -cov / g`:

        2 pi E[s s]   = b cov + (cov^2 + var1 var2 d^2) / (g^2 d)
        2 pi E[s' s'] = b + (cov / d) (1 / d^2 + (2 + var1 + var2) / g^2)

    Opposite inputs that are long cancel in the first: there it is
    `g (sin b - b cos b) + (cov^2 - d^2 (1 + var1 + var2)) / (g^2 d)`.

    Source: Tsuchida et al. 2020 (arXiv:2002.08517), section 3; the second form is ours.
    """

    def variance(self, var: Tensor) -> Tensor:
        """At `cov = var`: no term is negative."""
        root = (1 + 2 * var).sqrt()
        share = var / (1 + var)
        return (
            var * 2 * torch.atan2(root, torch.ones_like(root)) + share**2 * (root + 1 / root)
        ) / (2 * pi)

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """Each form where its terms do not cancel."""
        wide, c = Widened(pair, 1.0), pair.cov
        b, d, g = 2 * torch.atan2(wide.run, wide.rise), wide.sine, wide.norms
        both = (pair.norms / g) ** 2
        short = b * c + (c / g) ** 2 / d + both * d
        widths = 1 + pair.var1 + pair.var2
        long = remainder(b, g, d, -c) + (c / g) ** 2 / d - d / g * (widths / g)
        cov = torch.where((c < 0) & (pair.norms > 1), long, short) / (2 * pi)
        if not slope:
            return cov, None
        return cov, (b + c / d * (1 / d**2 + (1 + widths) / g / g)) / (2 * pi)

    def fall(self, pair: Pair) -> Tensor:
        """Term by term, each difference as a quotient or an arc tangent."""
        wide = Widened(pair, 1.0)
        h = wide.turn / 2
        near = 2 * torch.atan2(wide.rise0, wide.run0)  # pi - b of parallel inputs
        middle = near + h
        lag = (
            2 * middle.cos() * remainder(h, wide.norms, wide.norms * h.sin(), wide.norms * h.cos())
        )
        lag = lag + 2 * h * wide.norms * h.sin() * middle.sin()
        rest = (2 + pair.var1 + pair.var2) / wide.norms / wide.norms + 1 / (
            wide.sine * wide.rise0 * wide.run0
        )
        return ((pi - near) * pair.apart / 2 - lag + wide.growth * rest) / (2 * pi)

    def quick(
        self, cov: Tensor, var1: Tensor, var2: Tensor, ntk: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """One arc cosine and one root an entry."""
        left, right = (1 + var1).rsqrt(), (1 + var2).rsqrt()
        sine = (cov * left).mul_(right).clamp_(-1, 1)  # cov / g
        far = torch.acos(sine).neg_().add_(pi)
        root = (sine * sine).neg_().add_(1).sqrt_()  # d / g
        inverse = root.reciprocal()
        # 2 pi E[s s] = b cov + (cov / g)^2 / d + (var1 var2 / g^2) d
        moment = (root * (var1 * left)).mul_(var2 * right)
        moment.addcmul_(far, cov)
        extra = (sine * sine).mul_(inverse).mul_(left).mul_(right)
        moment.add_(extra).mul_(1 / (2 * pi))
        if ntk is None:
            return moment, None
        # cov / d (1 / d^2 + (2 + var1 + var2) / g^2); (2 + var1 + var2) / g^2 = 1/(1+var1) + 1/(1+var2)
        own1, own2 = left * left, right * right
        rest = (inverse * inverse).mul_(own1).mul_(own2).add_(own1).add_(own2)
        rest.mul_(sine).mul_(inverse).add_(far).mul_(1 / (2 * pi))
        return moment, rest.mul_(ntk)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return x * torch.special.ndtr(x)
