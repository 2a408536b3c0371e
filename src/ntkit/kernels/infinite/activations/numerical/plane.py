"""The moments of single pairs by an integral over the plane, at any angle and any length."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, log2, pi

import torch
from torch import Tensor

from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.numerical.gauss import derivative

__all__ = ["PlaneMoments", "integrate_pairs"]

_REACH = 9.0
"""Standard deviations to which is integrated: 2e-19 of the mass is beyond."""

_NODES = 12
"""Nodes a panel."""

_CHUNK = 2**17
"""Values of the function that are held at once: 1 MiB, which stays in the caches. Larger is no faster."""

Function = Callable[[Tensor], Tensor]
Rule = Callable[..., tuple[Tensor, ...]]


@dataclass(frozen=True)
class PlaneMoments:
    """Moments of pairs `(u, v)`, each `[e]`.

    Attributes:
        cov: `E[s(u) s(v)]`.
        slope: `E[s'(u) s'(v)]`.
        apart: `E[(s(u) / |s(u)| - s(v) / |s(v)|)^2]`, without a difference of large numbers.
        together: The same with a plus.
        partials: `[4, 3, e]`, of these four by the two standard deviations and by the angle, the
            lengths held; None where they were not asked for.
    """

    cov: Tensor
    slope: Tensor
    apart: Tensor
    together: Tensor
    partials: Tensor | None


def integrate_pairs(
    function: Function,
    kinks: Sequence[float],
    scale1: Tensor,
    scale2: Tensor,
    near: Tensor,
    far: Tensor,
    length1: Tensor,
    length2: Tensor,
    *,
    with_partials: bool = False,
) -> PlaneMoments:
    """The moments at standard deviations `scale1`, `scale2` and the angle `near = pi - far`, all `[e]`.

    `length1` and `length2` are `sqrt(E[s(u)^2])` and `sqrt(E[s(v)^2])`, which the distances are over.
    Panels end on the lines where either factor bends, with Gauss and Legendre's rule. Bent nowhere
    but at zero, these are four rays, and angle and radius separate: panels shrink towards the rays
    and the centre, about 2e4 values of the function an entry at lengths of order one. Otherwise one
    axis halves the angle, and both are split at the lines of the `k` kinks and at zero: about
    `(12 k + 150) (12 k^2 + 170)` values.
    Errors are below 1e-12 of the root mean squares, and of the distances themselves.
    The partial derivatives are those of the panels' sums, whose ends move with the kinks: jumps count.

    Source: Cho and Saul 2009 (the rays).
    """
    bent = sorted({float(t) for t in kinks if t})
    rule = _by_lines if bent else _by_rays
    levels = _levels(torch.maximum(scale1, scale2)) if len(scale1) else 0
    k, plain = len(bent) + 1, 12 + 2 * levels
    lines = _NODES**2 * (plain + k**2) * (plain + 2 * k)
    size = lines if bent else 200 * (levels + 3) ** 2
    inputs = (scale1, scale2, near, far, 1 / length1, 1 / length2)
    chunks = zip(*(t.detach().split(max(1, _CHUNK // size)) for t in inputs), strict=True)
    if not with_partials:
        with torch.no_grad():
            parts = [rule(function, bent, *chunk) for chunk in chunks]
        cov, slope, apart, together = (torch.cat(p) for p in zip(*parts, strict=True))
        return PlaneMoments(cov, slope, apart, together, None)
    pieces = [_differentiated(rule, function, bent, chunk) for chunk in chunks]
    values, partials = (torch.cat(p, -1) for p in zip(*pieces, strict=True))
    return PlaneMoments(values[0], values[1], values[2], values[3], partials)


def _differentiated(
    rule: Rule, function: Function, bent: list[float], chunk: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """The four moments `[4, e]`, and their partial derivatives `[4, 3, e]`."""
    r1, r2, near, far, over1, over2 = chunk
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [t.clone().requires_grad_() for t in (r1, r2, torch.zeros_like(r1))]
        found = rule(
            *(function, bent, leaves[0], leaves[1]),
            *(near + leaves[2], far - leaves[2], over1.clone(), over2.clone()),
        )
        rows = [
            torch.autograd.grad(
                moment.sum(), leaves, retain_graph=True, materialize_grads=True, allow_unused=True
            )
            for moment in found
        ]
    partials = torch.stack([torch.stack(row) for row in rows])
    # The moments are symmetric in the two. Kinks of both in one place split the panels in one order.
    shared = partials[:, :2].mean(1, keepdim=True)
    partials[:, :2] = torch.where(r1 == r2, shared, partials[:, :2])
    return torch.stack(found).detach(), partials


def _by_rays(
    function: Function,
    bent: list[float],
    r1: Tensor,
    r2: Tensor,
    near: Tensor,
    far: Tensor,
    over1: Tensor,
    over2: Tensor,
) -> tuple[Tensor, ...]:
    over1, over2 = over1[:, None, None], over2[:, None, None]
    levels = _levels(torch.maximum(r1, r2))
    radius, radial = _composite(_radii(levels), r1.device)
    radial = radial * radius * torch.exp(-(radius**2) / 2) / (2 * pi)
    halves = (0.0, *(2.0**-k for k in range(levels + 2, 0, -1)))
    low, weights = _composite(halves, r1.device)
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
                (first * over1 - second * over2) ** 2,
                (first * over1 + second * over2) ** 2,
            )
            for k, product in enumerate(products):
                total[k] = total[k] + ((product @ radial) * mass).sum(1)
    return tuple(total)


def _levels(scale: Tensor) -> int:
    """How often panels are halved towards zero for a function that is steep at this scale."""
    return max(0, ceil(log2(2 * float(scale.detach().max().clamp_min(0.5)))))


def _radii(levels: int) -> tuple[float, ...]:
    return (0.0, *(2.0**-k for k in range(levels, 0, -1)), 1.0, 2.5, 4.5, 7.0, 10.0)


def _composite(ends: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Gauss and Legendre's rule with ten nodes on each panel."""
    edges = torch.tensor(ends, dtype=torch.float64)
    nodes, weights = legendre(10)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return (middle + half * nodes).flatten().to(device), (half * weights).flatten().to(device)


def _by_lines(
    function: Function,
    bent: list[float],
    r1: Tensor,
    r2: Tensor,
    near: Tensor,
    far: Tensor,
    over1: Tensor,
    over2: Tensor,
) -> tuple[Tensor, ...]:
    """`u, v = r1 (c x + d y), +-r2 (c x - d y)`, `c` and `d` of half the angle to `v` or to `-v`."""
    kinks = torch.tensor(sorted({0.0, *bent}), dtype=torch.float64, device=r1.device)
    sign = torch.where(near <= far, 1.0, -1.0).double()[:, None]
    half = torch.minimum(near, far)[:, None] / 2
    c, d = half.cos(), half.sin()
    own, other = kinks / r1.clamp_min(1e-290)[:, None], sign * kinks / r2.clamp_min(1e-290)[:, None]
    base = _bases(_levels(torch.maximum(r1, r2))).to(r1.device)
    # Where a kink of u and one of v cross, the integral over x bends as a function of y; it does not
    # jump, so to move the ends of these panels changes nothing (and at the angle 0 they move at once).
    crossings = ((own[:, :, None] - other[:, None, :]) / 2).flatten(1).detach()
    y, mass = _between(base, _over(crossings, d.detach()))
    c, d = c[..., None], d[..., None]
    splits = torch.cat([own[:, None] - d * y[..., None], other[:, None] + d * y[..., None]], -1)
    x, w = _between(base, _over(splits, c))
    along, across = c * x, d * y[..., None]
    one, two = (
        r1[:, None, None] * (along + across),
        (sign * r2[:, None])[..., None] * (along - across),
    )
    first, second = function(one), function(two)
    slope1, slope2 = derivative(function, one), derivative(function, two)
    left, right = over1[:, None, None] * first, over2[:, None, None] * second
    products = (
        first * second,
        slope1 * slope2,
        (left - right) ** 2,
        (left + right) ** 2,
    )
    return tuple(((product * w).sum(-1) * mass).sum(1) for product in products)


def _over(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient, kept within reach."""
    return (numerator / denominator.clamp_min(1e-290)).clamp(-_REACH, _REACH)


def _bases(levels: int) -> Tensor:
    """Ends of panels, of both signs."""
    ends = [*(2.0**-k for k in range(levels, 0, -1)), 1.0, 2.0, 3.25, 4.75, 6.5, _REACH]
    return torch.tensor([*(-e for e in reversed(ends)), 0.0, *ends], dtype=torch.float64)


def _between(base: Tensor, splits: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights with the normal density on all panels, `[..., p * 12]` each."""
    ends = torch.cat([base.expand(*splits.shape[:-1], -1), splits], -1).sort(-1).values
    nodes, weights = (t.to(base.device) for t in legendre(_NODES))
    half = (ends[..., 1:] - ends[..., :-1])[..., None] / 2
    x = ((ends[..., 1:] + ends[..., :-1])[..., None] / 2 + half * nodes).flatten(-2)
    w = (half * weights).flatten(-2)
    return x, w * torch.exp(-(x**2) / 2) / (2 * pi) ** 0.5
