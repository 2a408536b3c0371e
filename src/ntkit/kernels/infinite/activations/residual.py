"""A ReLU of a sum of a ReLU and an independent Gaussian unit, `max(0, g + max(0, u))`: post-activation blocks.

The four numbers `u, u', g, g'` are two independent Gaussian pairs. In polar coordinates of `(u, u')` the integral over
`g`, `g'` and the radius has a closed form. What is left is one integral over the angle of `(u, u')`, which has none:
its simplest case is the probability that four Gaussians are positive. It is taken by Gauss and Legendre's rule on
panels that shrink towards the ends.

Source: Tallis 1961 (J. R. Stat. Soc. B 23, 223), eq. 3, for the moments of three Gaussians in an octant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from math import pi

import torch
from torch import Tensor

from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["ResidualMoments", "residual_moments", "residual_variance"]

_NODES = 10
"""Of a panel: with singularities no nearer than a panel is long, the error is `5.8^(-2 _NODES)`, 5e-16."""

_LEVELS = 27
"""At most so often is a panel halved towards an end: the last is 1e-8 of the whole, with a bounded integrand."""

_LEAST = 1e-30
"""Of `g` over `u`, in standard deviations: less of `g` is nothing to any digit, and its square is still a number."""

_AT_ONCE = 2**16
"""Values of the integrand that are held at a time: half a MiB a table, which stays in the caches."""


@dataclass(frozen=True)
class ResidualMoments:
    """Of pairs of units `z = max(0, g + max(0, u))`.

    Attributes:
        cov: `E[z z']`.
        slope_u: The mean product of the derivatives by `u` and `u'`.
        slope_g: By `g` and `g'`.
    """

    cov: Tensor
    slope_u: Tensor
    slope_g: Tensor


def residual_variance(var_u: Tensor, var_g: Tensor) -> Tensor:
    """`E[max(0, g + max(0, u))^2]`."""
    u, g = var_u.sqrt(), var_g.sqrt()
    return var_g / 2 + var_u / 4 + (u * g + (var_u + var_g) * torch.atan2(u, g)) / (2 * pi)


def residual_moments(of_u: Pair, of_g: Pair) -> ResidualMoments:
    """The moments of a pair, to 1e-13 of its lengths.

    Args:
        of_u: The pair inside of the inner ReLU.
        of_g: The pair that is added to what comes out of it.

    Cost: 100 to 1,000 values of arc tangents an entry, the more the nearer to parallel any `g`, `g'` are.
    """
    tables = torch.broadcast_tensors(*_tables(of_u), *_tables(of_g))
    same = (tables[1] == 0) & (tables[6] == 0) & (tables[3] == tables[4]) & (tables[8] == tables[9])
    shape = tables[0].shape
    whole = _Angles.of(*(Pair(*(t.reshape(-1) for t in tables[k : k + 5])) for k in (0, 5)))
    cov, slope_u, slope_g = (torch.empty_like(whole.near) for _ in range(3))
    levels = torch.where(same.reshape(-1), 1, whole.levels())
    for level in levels.unique().tolist():  # a few near pairs make no others slow
        for some in (levels == level).nonzero()[:, 0].split(_AT_ONCE):
            cov[some], slope_u[some], slope_g[some] = whole.only(some).integrated(level)
    cov = torch.where(same, residual_variance(tables[3], tables[8]), cov.reshape(shape))
    return ResidualMoments(cov, slope_u.reshape(shape), slope_g.reshape(shape))


def _tables(pair: Pair) -> tuple[Tensor, ...]:
    return pair.cov, pair.apart, pair.together, pair.var1, pair.var2


@dataclass(frozen=True)
class _Angles:
    """What the integrand knows of pairs, each `[e]`.

    Attributes:
        near: The angle `t` between `u` and `u'`.
        far: `pi - t`.
        ratio1: The standard deviation of `u` over that of `g`.
        ratio2: Of `u'` over that of `g'`.
        crossing: Where `u`, `u'` of the angle are equal, in those units.
        width: How far from there the integrand is smooth.
        turn: The angle between `g` and `g'`.
        sine: Its sine.
        lost: One less its cosine.
        scale: The product of the standard deviations of `g` and `g'`.
    """

    near: Tensor
    far: Tensor
    ratio1: Tensor
    ratio2: Tensor
    crossing: Tensor
    width: Tensor
    turn: Tensor
    sine: Tensor
    lost: Tensor
    scale: Tensor

    @classmethod
    def of(cls, of_u: Pair, of_g: Pair) -> "_Angles":
        """From the pairs."""
        near, far = of_u.angles()
        sd1, nothing1 = _deviation(of_u.var1, of_g.var1)
        sd2, nothing2 = _deviation(of_u.var2, of_g.var2)
        turn, _ = of_g.angles()
        ratio1, ratio2 = of_u.var1.sqrt() / sd1, of_u.var2.sqrt() / sd2
        half = 2 * (near / 2).sin() ** 2
        # of the triangle with sides `ratio1`, `ratio2` and the angle `near` between them: no difference cancels
        across = ((ratio1 - ratio2) ** 2 + 2 * ratio1 * ratio2 * half).sqrt()
        crossing = torch.atan2(ratio1 * near.sin(), ratio2 - ratio1 + ratio1 * half)
        crossing = torch.where(across > 0, crossing, far / 2)
        least = torch.where(across > 0, across, 1)
        there = ratio1 * ratio2 * near.sin() / least
        width = torch.where(across > 0, turn.sin() * (1 + there**2).sqrt() / least, 1)
        return cls(
            *(near, far, ratio1, ratio2, crossing, width, turn, turn.sin()),
            lost=2 * (turn / 2).sin() ** 2,
            scale=torch.where(nothing1 | nothing2, 0, sd1 * sd2),
        )

    def levels(self) -> Tensor:
        """How often the panels of each pair are halved towards an end."""
        smooth = torch.minimum(self.width, 1 / (1 + torch.maximum(self.ratio1, self.ratio2)))
        return (-smooth.clamp_min(2.0**-_LEVELS).log2()).ceil().clamp(1, _LEVELS).long()

    def only(self, some: Tensor) -> "_Angles":
        """Some of the pairs."""
        return _Angles(*(getattr(self, field.name)[some] for field in fields(self)))

    def integrated(self, levels: int) -> tuple[Tensor, Tensor, Tensor]:
        """`E[z z']`, and the slopes by `u` and by `g`."""
        zero = torch.zeros_like(self.near)
        at_rest, open_ = self._at(zero[:, None], zero[:, None])
        total, slope_g = self.far * at_rest[:, 0], self.far * open_[:, 0]  # neither u is positive
        slope_u = zero
        for psi, weight in _panels(zero, self.near, levels):  # one of them is
            for is_first in (True, False):
                rise = (self.ratio1 if is_first else self.ratio2)[:, None] * psi.sin()
                nought = torch.zeros_like(rise)
                found = self._at(rise, nought) if is_first else self._at(nought, rise)
                total = total + (found[0] * weight).sum(1)
                slope_g = slope_g + (found[1] * weight).sum(1)
        for start, stop in ((zero, self.crossing), (self.crossing, self.far)):  # both are
            for psi, weight in _panels(start, stop, levels):
                rise1 = self.ratio1[:, None] * (self.far[:, None] - psi).sin()
                moment, share = self._at(rise1, self.ratio2[:, None] * psi.sin())
                total = total + (moment * weight).sum(1)
                slope_u = slope_u + (share * weight).sum(1)
        slope_g = slope_g + slope_u
        return self.scale * total / (2 * pi), slope_u / (2 * pi), slope_g / (2 * pi)

    def _at(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """`E[(x + r a)+ (y + r b)+]` and `P(x + r a > 0, y + r b > 0)`, `[e, k]`.

        Of standard normal `x`, `y` with the cosine of `g`, `g'` and a radius of density `r exp(-r^2 / 2)`. With
        `B(a, b)` the probability that `r` and `y + r b` are positive where `x + r a` is zero.
        """
        turn, sine, lost = self.turn[:, None], self.sine[:, None], self.lost[:, None]
        cosine = 1 - lost
        root_a, root_b = (1 + a * a).sqrt(), (1 + b * b).sqrt()
        of_a = 0.25 + torch.atan2(b - a + lost * a, sine * root_a) / (2 * pi)
        of_b = 0.25 + torch.atan2(a - b + lost * b, sine * root_b) / (2 * pi)
        both = (pi - turn) / (2 * pi)
        start = (sine + (pi - turn) * cosine) / (2 * pi)
        mixed = cosine + a * b
        moment = start + 2 * a * b * both
        moment = moment + (a * mixed / root_a + b * root_a) * of_a
        moment = moment + (b * mixed / root_b + a * root_b) * of_b
        return moment, both + a / root_a * of_a + b / root_b * of_b


def _deviation(var_u: Tensor, var_g: Tensor) -> tuple[Tensor, Tensor]:
    """The standard deviation of `g`, not much less than that of `u`; and where both are zero, 1."""
    found = torch.maximum(var_g.sqrt(), _LEAST * var_u.sqrt())
    nothing = found == 0
    return torch.where(nothing, 1, found), nothing


def _panels(start: Tensor, stop: Tensor, levels: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Nodes and weights `[e, k]` between two ends, some at a time."""
    nodes, weights = (t.to(start.device) for t in _rule(levels))
    size = (stop - start)[:, None]
    step = max(1, _AT_ONCE // max(1, len(start)))
    for x, w in zip(nodes.split(step), weights.split(step), strict=True):
        yield start[:, None] + size * x, size * w


@cache
def _rule(levels: int) -> tuple[Tensor, Tensor]:
    """On the unit interval, with panels that halve towards both ends."""
    low = [0.0, *(2.0**-k for k in range(levels + 1, 0, -1))]
    edges = torch.tensor([*low, *(1 - x for x in reversed(low[:-1]))], dtype=torch.float64)
    x, w = legendre(_NODES)
    half, middle = edges.diff() / 2, (edges[1:] + edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).flatten(), (half[:, None] * w).flatten()
