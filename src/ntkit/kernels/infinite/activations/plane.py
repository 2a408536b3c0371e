"""The moments of single pairs by an integral over the plane, at any angle and any length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, log2, pi

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.gauss import derivative, legendre

__all__ = ["PlaneMoments", "integrate_pairs"]

_REACH = 8.5
"""Standard deviations to which is integrated: 2e-17 of the mass is beyond."""

_CHUNK = 2**20
"""Values of the function that are held at once."""

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class PlaneMoments:
    """Moments of pairs `(u, v)`, each `[e]`.

    Attributes:
        cov: `E[s(u) s(v)]`.
        slope: `E[s'(u) s'(v)]`.
        growth1: `E[u s'(u) s(v)]`.
        growth2: `E[s(u) v s'(v)]`.
    """

    cov: Tensor
    slope: Tensor
    growth1: Tensor
    growth2: Tensor


def integrate_pairs(
    function: Function,
    kinks: Sequence[float],
    scale1: Tensor,
    scale2: Tensor,
    near: Tensor,
    far: Tensor,
) -> PlaneMoments:
    """The moments at standard deviations `scale1`, `scale2` and the angle `near = pi - far`, all `[e]`.

    Panels end on the lines where either factor bends. Bent nowhere but at zero, these are four rays,
    and angle and radius separate: Gauss and Legendre's rule on panels that shrink towards the rays
    and the centre, about 2e4 values of the function an entry at lengths of order one. Otherwise both
    axes are split at the `k` kinks and at zero, with the double exponential rule, which finds layers
    of any width: about `(2 k + 2) (k + 3) 4,000` values.
    Errors are below 1e-9 of the root mean squares.

    Source: Cho and Saul 2009 (the rays); Takahasi and Mori 1974.
    """
    bent = sorted({float(t) for t in kinks if t})
    rule = _by_lines if bent else _by_rays
    levels = _levels(torch.maximum(scale1, scale2)) if len(scale1) else 0
    size = (2 * len(bent) + 2) * (len(bent) + 3) * 64**2 if bent else 200 * (levels + 3) ** 2
    chunks = zip(
        *(t.split(max(1, _CHUNK // size)) for t in (scale1, scale2, near, far)), strict=True
    )
    parts = [rule(function, bent, *chunk) for chunk in chunks]
    return PlaneMoments(*(torch.cat(p) for p in zip(*parts, strict=True)))


def _by_rays(
    function: Function, bent: list[float], r1: Tensor, r2: Tensor, near: Tensor, far: Tensor
) -> tuple[Tensor, ...]:
    levels = _levels(torch.maximum(r1, r2))
    radius, radial = _composite(_radii(levels))
    radial = radial * radius * torch.exp(-(radius**2) / 2) / (2 * pi)
    low, weights = _composite((0.0, *(2.0**-k for k in range(levels + 2, 0, -1))))
    left, right = torch.cat([low, 1 - low.flip(0)]), torch.cat([1 - low, low.flip(0)])
    weights = torch.cat([weights, weights.flip(0)])
    total = [torch.zeros_like(r1) for _ in range(4)]
    for angle, sign in ((far, 1), (near, -1)):  # both of one sign, and of opposite ones
        wide = angle[:, None]
        u = (r1[:, None] * (wide * right).sin())[:, :, None] * radius
        v = (r2[:, None] * (wide * left).sin())[:, :, None] * (sign * radius)
        mass = wide * weights
        for one, two in ((u, v), (-u, -v)):
            first, second = function(one), function(two)
            slope1, slope2 = derivative(function, one), derivative(function, two)
            products = (
                first * second,
                slope1 * slope2,
                one * slope1 * second,
                first * two * slope2,
            )
            for k, product in enumerate(products):
                total[k] = total[k] + ((product @ radial) * mass).sum(1)
    return tuple(total)


def _levels(scale: Tensor) -> int:
    """How often panels are halved towards zero for a function that is steep at this scale."""
    return max(0, ceil(log2(2 * float(scale.detach().max().clamp_min(0.5)))))


def _radii(levels: int) -> tuple[float, ...]:
    return (0.0, *(2.0**-k for k in range(levels, 0, -1)), 1.0, 2.5, 4.5, 7.0, 10.0)


def _composite(ends: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """Gauss and Legendre's rule with ten nodes on each panel."""
    edges = torch.tensor(ends, dtype=torch.float64)
    nodes, weights = legendre(10)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * nodes).flatten(), (half * weights).flatten()


def _by_lines(
    function: Function, bent: list[float], r1: Tensor, r2: Tensor, near: Tensor, far: Tensor
) -> tuple[Tensor, ...]:
    kinks = torch.tensor(bent, dtype=torch.float64)
    r1, r2, c, s = (t[:, None] for t in (r1, r2, near.cos(), near.sin()))
    zero = torch.zeros_like(r1)
    own, other = _over(kinks, r1), kinks / r2.clamp_min(1e-290)
    x, w = _between(torch.cat([zero, own, _over(other, c)], 1))
    lines = torch.cat([other, zero], 1)[:, None, :] - (x * c)[..., None]
    lines = torch.cat([_over(lines, s[..., None]), zero[..., None].expand(*x.shape, 1)], -1)
    y, mass = _between(lines)
    one, two = r1 * x, r2[..., None] * (x[..., None] * c[..., None] + y * s[..., None])
    first, slope1 = function(one), derivative(function, one)
    slope2 = derivative(function, two) * mass
    mean, mean_slope = (function(two) * mass).sum(-1), slope2.sum(-1)
    mean_growth = (slope2 * two).sum(-1)
    return (
        (first * mean * w).sum(1),
        (slope1 * mean_slope * w).sum(1),
        (one * slope1 * mean * w).sum(1),
        (first * mean_growth * w).sum(1),
    )


def _over(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, kept within reach."""
    small = denominator.abs() < 1e-290
    return (numerator / torch.where(small, 1e-290, denominator)).clamp(-_REACH, _REACH)


def _between(ends: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes `[..., p * 64]` and weights with the normal density, on the panels between `ends`."""
    edge = torch.full_like(ends[..., :1], _REACH)
    ends = torch.cat([-edge, ends.sort(-1).values, edge], -1)
    left, right, weights = _rule(64)
    start, stop = ends[..., :-1, None], ends[..., 1:, None]
    x = (start * right + stop * left).flatten(-2)
    w = ((stop - start) * weights).flatten(-2)
    return x, w * torch.exp(-(x**2) / 2) / (2 * pi) ** 0.5


@cache
def _rule(nodes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Shares from the left and from the right, and weights, on a panel of unit length."""
    t = torch.linspace(-3.0, 3.0, nodes, dtype=torch.float64)
    rise = torch.pi * t.sinh()
    left, right = torch.sigmoid(rise), torch.sigmoid(-rise)
    weights = left * right * torch.pi * t.cosh()
    return left, right, weights / weights.sum()
