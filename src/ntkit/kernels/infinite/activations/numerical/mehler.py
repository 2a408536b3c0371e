"""Sums of powers of a correlation whose coefficients are products of a row's and a column's."""

import torch
from torch import Tensor

__all__ = ["power_sum", "terms_needed"]

_TOLERANCE = 1e-15
"""Sums of degrees below it do not change a float64."""


def terms_needed(share: Tensor, largest: float, derivatives: int = 0) -> int:
    """Number of degrees whose sum reaches 1e-15 of the root mean squares at `|rho| <= largest`.

    `share[k]` bounds the coefficient of degree `k` over the root mean squares. With `derivatives`,
    those of the sum by `rho` too, up to that order: at `rho = 0` the next degrees are all of them.
    """
    degrees = torch.arange(len(share), dtype=torch.float64)
    weights = largest**degrees
    for order in range(1, derivatives + 1):
        falling = torch.stack([degrees - j for j in range(order)]).prod(0).clamp_min(0)
        weights = torch.maximum(weights, falling * largest ** (degrees - order).clamp_min(0))
    tails = (share * weights).flip(0).cumsum(0).flip(0)
    return max(1, int((tails > _TOLERANCE).sum()))


def power_sum(first: Tensor, second: Tensor, rho: Tensor, parity: int | None) -> Tensor:
    """`sum_k first[k] second[k] rho^k` by Horner's rule: two passes over the table a degree.

    Args:
        first: `[k, ...]`, broadcasting against `rho`.
        second: `[k, ...]`.
        rho: The correlations.
        parity: 0 or 1 where every other term is zero: even, or odd, degrees only.
    """
    degrees = range(len(first)) if parity is None else range(parity, len(first), 2)
    variable = rho if parity is None else rho * rho
    tracked = rho.requires_grad or first.requires_grad or second.requires_grad
    total = torch.zeros_like(rho)
    for k in reversed(degrees):
        if tracked:
            total = total * variable + first[k] * second[k]
        else:
            total.mul_(variable).addcmul_(first[k], second[k])
    return total * rho if parity == 1 else total
