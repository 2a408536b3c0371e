"""A pair of jointly Gaussian units, held so that no digit of their angle is lost."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["Pair", "safe_sqrt"]


@dataclass(frozen=True)
class Pair:
    """Second moments of `(u, v)`, mean zero; tensors of any shapes that broadcast.

    The covariance alone cannot tell the angle of two near points, nor of two near-opposite ones:
    half of the digits are gone. `apart` and `together` are what is lost, kept in their own right;
    they hold at any ratio of the variances.

    Attributes:
        cov: `E[u v]`.
        apart: `2 (sqrt(var1 var2) - cov)`, at least 0: `4 |u||v| sin^2(t / 2)` at the angle `t`.
        together: `2 (sqrt(var1 var2) + cov)`, at least 0: `4 |u||v| cos^2(t / 2)`.
        var1: `E[u^2]`.
        var2: `E[v^2]`.
    """

    cov: Tensor
    apart: Tensor
    together: Tensor
    var1: Tensor
    var2: Tensor

    @cached_property
    def lengths(self) -> tuple[Tensor, Tensor]:
        """`|u|` and `|v|`, the roots of the variances."""
        return safe_sqrt(self.var1), safe_sqrt(self.var2)

    @cached_property
    def norms(self) -> Tensor:
        """`sqrt(var1 var2)`, without overflow."""
        return self.lengths[0] * self.lengths[1]

    @property
    def gap(self) -> Tensor:
        """`E[(u - v)^2]`, to full relative accuracy."""
        return self.apart + self.spread

    @property
    def total(self) -> Tensor:
        """`E[(u + v)^2]`, to full relative accuracy."""
        return self.together + self.spread

    @property
    def spread(self) -> Tensor:
        """`(|u| - |v|)^2`, from the difference of the variances, which is exact for near lengths."""
        both = self.lengths[0] + self.lengths[1]
        return ((self.var1 - self.var2) / torch.where(both > 0, both, 1)) ** 2

    @property
    def sine(self) -> Tensor:
        """`|u||v| sin t`, which is also `sqrt(var1 var2 - cov^2)`."""
        return safe_sqrt(self.apart) * safe_sqrt(self.together) / 2

    def angles(self) -> tuple[Tensor, Tensor]:
        """The angle `t` and `pi - t`, each to full relative accuracy; `t = pi / 2` at a zero vector."""
        zero = (self.apart == 0) & (self.together == 0)
        rise = safe_sqrt(self.apart + zero)
        run = safe_sqrt(self.together + zero)
        return 2 * torch.atan2(rise, run), 2 * torch.atan2(run, rise)

    def flipped(self) -> "Pair":
        """The pair `(u, -v)`."""
        return Pair(-self.cov, self.together, self.apart, self.var1, self.var2)

    def folded(self) -> "Pair":
        """The pair `(u, v)` or `(u, -v)`, whichever has the smaller angle.

        By the sign of the covariance: `minimum` and `abs` would halve gradients, or lose them, where
        it is 0.
        """
        turned = self.cov < 0
        apart = torch.where(turned, self.together, self.apart)
        together = torch.where(turned, self.apart, self.together)
        return Pair(torch.where(turned, -self.cov, self.cov), apart, together, self.var1, self.var2)


def safe_sqrt(x: Tensor) -> Tensor:
    """The square root, whose gradient at 0 is taken as 0 (it would be infinite, and then NaN)."""
    if not x.requires_grad:
        return x.sqrt()
    positive = x > 0
    return torch.where(positive, x, 1).sqrt() * positive
