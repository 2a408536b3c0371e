"""How fast the direction of an activation's output turns as its input grows longer."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.gauss import derivative, legendre

__all__ = ["spread_curvature"]


def spread_curvature(function: Callable[[Tensor], Tensor], var: Tensor) -> Tensor:
    """`c` of `sqrt(E[s(a x)^2] E[s(b x)^2]) - E[s(a x) s(b x)] ~ 2 c h^2`, `a, b = exp(+-h) sqrt(var)`.

    It is the part of `u s'(u)` at right angles to `s(u)`: `c = E[r^2]` with
    `r = u s' - s E[u s' s] / E[s^2]`. Constant to autograd: it is multiplied by `h^2`, which is tiny.
    """
    nodes, weights = _rule()
    with torch.no_grad():
        x = nodes * var.detach().double().sqrt()[..., None]
        value, slope = function(x), x * derivative(function, x)
        square, cross = (value**2) @ weights, (value * slope) @ weights
        share = cross / torch.where(square > 0, square, 1)
        return ((slope - value * share[..., None]) ** 2) @ weights


@cache
def _rule() -> tuple[Tensor, Tensor]:
    """Panels around zero that grow with the distance from it, weighted with the normal density."""
    ends = torch.tensor([0.0, 1e-3, 1e-2, 0.1, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 10.0])
    ends = ends.double()
    points, weights = legendre(16)
    half = (ends[1:] - ends[:-1])[:, None] / 2
    x = ((ends[1:] + ends[:-1])[:, None] / 2 + half * points).flatten()
    w = (half * weights).flatten() * torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
    return torch.cat([-x.flip(0), x]), torch.cat([w.flip(0), w])
