"""Derivatives of what training makes of eigenvalues: of one, and between two of them."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.quadrature import legendre

__all__ = ["divided_differences", "responding", "slopes"]

_BESIDE = 1e-4
"""Relative distance of the points that a derivative is averaged of, where its formula has a root of 0:
at critical damping."""

Function = Callable[[Tensor], Tensor]


def slopes(function: Function, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
    """`function'(s)`, elementwise, without a graph; by autograd, and from both sides where that fails."""
    found = _by_autograd(function, s)
    bad = ~torch.isfinite(found)
    if bool(bad.any()):
        there = s[bad]
        sides = [_by_autograd(function, there * (1 + way * _BESIDE)) for way in (-1, 1)]
        found[bad] = (sides[0] + sides[1]) / 2
    return found


def responding(function: Function, s: Tensor) -> Tensor:
    """`function(s)`, with the derivative that `slopes` finds where `s` asks for gradients."""
    if not (torch.is_grad_enabled() and s.requires_grad):
        return function(s)
    fixed = s.detach()
    return function(fixed) + slopes(function, fixed) * (s - fixed)


def divided_differences(function: Function, s: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """`(f(s_i) - f(s_j)) / (s_i - s_j)`, and `f'` on the diagonal, without cancellation.

    The mean of the derivative between the two, by quadrature, where that is surer than the quotient.

    Source: Daleckii and Krein 1965; Higham, Functions of Matrices, theorem 3.11.
    """
    value, eps = function(s), torch.finfo(s.dtype).eps
    gap = s[:, None] - s
    apart = gap != 0
    safe = torch.where(apart, gap, 1)
    quotient = (value[:, None] - value) / safe
    doubt = 4 * eps * (value.abs()[:, None] + value.abs()) / safe.abs()
    means = []
    for count in (4, 7):
        nodes, weights = legendre(count)
        total = torch.zeros_like(gap)
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            between = s + gap * ((1 + node) / 2)
            total = total + weight / 2 * slopes(function, between)
        means.append(total)
    surer = (means[1] - means[0]).abs() < doubt
    return torch.where(~apart | surer, means[1], quotient)


def _by_autograd(function: Function, s: Tensor) -> Tensor:
    with torch.inference_mode(False), torch.enable_grad():
        leaf = s.detach().clone().requires_grad_()
        value = function(leaf)
        if not value.requires_grad:
            return torch.zeros_like(s)
        (found,) = torch.autograd.grad(value.sum(), leaf)
    return found
