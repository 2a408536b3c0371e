"""The normal distribution of the plane: probabilities of a quadrant, and moments of ramps.

With `X = m1 + |u| z1`, `Y = m2 + |v| z2`, the correlation `cos t` of `z1, z2`, and `h = m1 / |u|`,
`k = m2 / |v|`

    P(X > 0, Y > 0) = (F(h) + F(k)) / 2 - T(h, p / h) - T(k, q / k) - [h k < 0] / 2,
    p = (k - h cos t) / sin t,   q = (h - k cos t) / sin t,
    E[X+ Y+] = (m1 m2 + cov) P + m2 |u| f(h) F(p) + m1 |v| f(k) F(q)
               + |u||v| sin(t) exp(-(h^2 + p^2) / 2) / (2 pi)

with the normal distribution `F`, its density `f` and Owen's function `T`.

Source: Owen 1956 (tables for bivariate normal probabilities); Rosenbaum 1961 (moments of a truncated
bivariate normal distribution).
"""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["Quadrants", "density", "normal", "over", "ramp"]

_FAR = 40.0
"""Standard deviations at which the normal distribution is 0 or 1 to the last digit, and its density 0."""

_OWEN = 24
"""Nodes of Owen's integral over at most an eighth of a turn: errors are below 1e-15."""


@dataclass(frozen=True)
class Quadrants:
    """The angles of a table of pairs, to all digits.

    Attributes:
        cov: `|u||v| cos t`.
        sd1: `|u|`.
        sd2: `|v|`.
        below: `1 - cos t`.
        above: `1 + cos t`.
        sine: `sin t`.
        angle: `t`.
    """

    cov: Tensor
    sd1: Tensor
    sd2: Tensor
    below: Tensor
    above: Tensor
    sine: Tensor
    angle: Tensor

    @staticmethod
    def of(pair: Pair) -> "Quadrants":
        """`1 - cos t`, `1 + cos t` and `sin t`; a right angle where one has no variance."""
        norms = pair.norms
        alive = norms > 0
        safe = torch.where(alive, 2 * norms, 1)
        below = torch.where(alive, pair.apart / safe, 1)
        above = torch.where(alive, pair.together / safe, 1)
        sine = (below * above).clamp_min(0).sqrt()
        sd1, sd2 = safe_sqrt(pair.var1), safe_sqrt(pair.var2)
        return Quadrants(pair.cov, sd1, sd2, below, above, sine, pair.angles()[0])

    def ramps(self, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """`E[X+ Y+]` and `P(X > 0, Y > 0)`."""
        h, k = over(one, self.sd1), over(two, self.sd2)
        p, q = self._across(h, k), self._across(k, h)
        unlike = (h >= 0) != (k >= 0)
        owen = _owen(h, p) + _owen(k, q)
        origin = (h == 0) & (k == 0)
        owen = torch.where(origin, self.angle / (2 * pi), owen)
        positive = ((normal(h) + normal(k)) / 2 - owen - 0.5 * unlike).clamp(0, 1)
        norms = self.sd1 * self.sd2
        both = (
            (one * two + self.cov) * positive
            + two * self.sd1 * density(h) * normal(p)
            + one * self.sd2 * density(k) * normal(q)
            + norms * self.sine * torch.exp(-(h**2 + p**2) / 2) / (2 * pi)
        )
        return both, positive

    def _across(self, h: Tensor, k: Tensor) -> Tensor:
        """`(k - h cos t) / sin t`, from the smaller one of the two distances of `cos t` from +-1."""
        rise = torch.where(self.below < self.above, k - h + self.below * h, k + h - self.above * h)
        alive = self.sine > 0
        ratio = rise / torch.where(alive, self.sine, 1)
        return torch.where(alive, ratio, _FAR * torch.sign(rise)).clamp(-_FAR, _FAR)


def over(means: Tensor, sd: Tensor) -> Tensor:
    """`m / |u|`, as far as it tells; without variance it is as far as can be."""
    alive = sd > 0
    ratio = means / torch.where(alive, sd, 1)
    return torch.where(alive, ratio, _FAR * torch.sign(means)).clamp(-_FAR, _FAR)


def ramp(sd: Tensor, means: Tensor) -> Tensor:
    """`E[X+] = m F(h) + |u| f(h)`."""
    h = over(means, sd)
    return means * normal(h) + sd * density(h)


def density(h: Tensor) -> Tensor:
    """The normal density."""
    return torch.exp(-(h**2) / 2) / (2 * pi) ** 0.5


def normal(h: Tensor) -> Tensor:
    """The normal distribution, to all digits at either end."""
    return torch.erfc(-h / 2**0.5) / 2


def _owen(h: Tensor, p: Tensor) -> Tensor:
    """Owen's `T(h, p / h)`, the share of a wedge of the plane; `h` counts as positive at zero."""
    size, across = h.abs(), p.abs()
    steep = across > size
    long, short = torch.maximum(size, across), torch.minimum(size, across)
    angle = torch.atan2(short, long)
    nodes, weights = legendre(_OWEN)
    total = torch.zeros_like(angle)
    for x, w in zip(nodes.tolist(), weights.tolist(), strict=True):
        total = total + w / 2 * torch.exp(-((long / torch.cos(angle * (1 + x) / 2)) ** 2) / 2)
    inner = angle / (2 * pi) * total
    outer = (1 - torch.erf(size / 2**0.5) * torch.erf(across / 2**0.5)) / 4 - inner
    sign = torch.where((h >= 0) == (p >= 0), 1.0, -1.0)
    return sign * torch.where(steep, outer, inner)
