"""How far the outputs of parallel inputs of unlike lengths are from parallel."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ntkit._core.quadrature import legendre

__all__ = ["defect"]

_CHUNK = 2**17
"""Values of the function that are held at once: 1 MiB, which stays in the caches. Larger is no faster."""


def defect(
    function: Callable[[Tensor], Tensor], scale1: Tensor, scale2: Tensor, over: Tensor
) -> Tensor:
    """`(E[s(a x)^2] E[s(b x)^2] - E[s(a x) s(b x)]^2) / over` for scales `a, b` `[e]`, not below 0.

    It is `E[s(a x)^2] E[r^2]` with the residual `r = s(b x) - l s(a x)`, `l = E[s(a x) s(b x)] /
    E[s(a x)^2]`, so angles down to 1e-15 are told. About 1,500 values of the function an entry; good
    to 1e-10 for functions that are smooth at the scales from 1e-9 to 1 of `x`.
    """
    nodes, weights = (t.to(scale1.device) for t in _rule())
    parts, units = [], []
    pieces = (t.split(max(1, _CHUNK // len(nodes))) for t in (scale1, scale2))
    for a, b in zip(*pieces, strict=True):
        first, second = function(a[:, None] * nodes), function(b[:, None] * nodes)
        # Fourth powers of long values leave the range, where what they are divided by is as long.
        unit = torch.maximum(first.detach().abs(), second.detach().abs()).amax(1, keepdim=True)
        units.append(unit[:, 0])
        unit = torch.where(unit > 0, unit, 1)
        first, second = first / unit, second / unit
        square, cross = (first**2) @ weights, (first * second) @ weights
        share = cross / torch.where(square > 0, square, 1)
        # The share is the best there is, so its own gradient does not count.
        residual = second - share.detach()[:, None] * first
        parts.append(square * ((residual**2) @ weights))
    unit = torch.cat(units)
    return torch.cat(parts) * unit**2 * (unit / over * unit)


@cache
def _rule() -> tuple[Tensor, Tensor]:
    """Panels around zero that double in length, weighted with the normal density."""
    ends = [0.0, *(2.0**k for k in range(-30, 1)), 2.0, 3.0, 4.5, 6.0, 8.0, 10.0, 12.0]
    edges = torch.tensor(ends, dtype=torch.float64)
    points, weights = legendre(20)
    half = (edges[1:] - edges[:-1])[:, None] / 2
    x = ((edges[1:] + edges[:-1])[:, None] / 2 + half * points).flatten()
    w = (half * weights).flatten() * torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
    return torch.cat([-x.flip(0), x]), torch.cat([w.flip(0), w])
