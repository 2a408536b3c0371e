"""ReLU and its family: two half lines that meet at zero."""

from math import pi, prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import (
    AbstractActivation,
    Dual,
    pair_in_double,
    rounded,
)
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.loops.available import loops_for

__all__ = ["PiecewiseLinear", "lengths", "remainder"]

_ROW = 32
"""Entries from which a row is long enough for a loop of its own."""


class PiecewiseLinear(AbstractActivation):
    """`below * x` for negative `x`, `above * x` for positive: ReLU (0, 1), abs (-1, 1), leaky ones.

    It is `odd x + even |x|` with `odd, even = (above + below) / 2, (above - below) / 2`. The cross
    terms vanish, and with `R(t) = |u||v| (sin t - t cos t)` the moments of `|u||v|` are
    `E |u||v| = cov + (2 / pi) R(t) = -cov + (2 / pi) R(pi - t)`.

    Source: Cho and Saul 2009, eqs. 3-6 with n = 0, 1.
    """

    is_homogeneous = True
    kinks: tuple[float, ...] = (0.0,)

    def __init__(self, below: float, above: float) -> None:
        self.below = below
        self.above = above
        self.is_odd: bool = below == above

    def variance(self, var: Tensor) -> Tensor:
        """`(below^2 + above^2) / 2 * var`."""
        return (self.below**2 + self.above**2) / 2 * var

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """Both moments and both distances, without cancellation at either end of the angle."""
        dtype, pair = pair.cov.dtype, pair_in_double(pair)
        even = (self.above - self.below) ** 2 / 4
        odd = (self.above + self.below) ** 2 / 4
        near, far = pair.angles()
        norms, sine = pair.norms, pair.sine
        from_near = 4 / pi * remainder(near, norms, sine, pair.cov)
        from_far = 4 / pi * remainder(far, norms, sine, -pair.cov)
        kink = pair.apart - from_near  # 2 (|u||v| - E |u||v|)
        if odd < even:  # abs folds opposite units onto each other
            kink = torch.where(pair.cov > 0, kink, pair.together - from_far)
        cov, bend = even / 2 * from_far, (2 * even / pi) * far if slope else None
        if odd != even:  # equal for ReLU
            cov = (odd - even) * pair.cov + cov
            bend = None if bend is None else (odd - even) + bend
        dual = Dual(
            cov=cov,
            slope=bend,
            apart=(odd * pair.apart + even * kink).clamp_min(0),
            together=odd * pair.together + even * (pair.apart + from_far),
        )
        return rounded(dual, dtype)

    def quick(
        self, cov: Tensor, var1: Tensor, var2: Tensor, ntk: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """One arc cosine and one root an entry, as few passes over memory as can be."""
        even = (self.above - self.below) ** 2 / 4
        odd = (self.above + self.below) ** 2 / 4
        left, right = lengths(var1), lengths(var2)
        given = (cov, left, right) if ntk is None else (cov, left, right, ntk)
        loops = loops_for(cov.numel(), *given)
        if loops is not None:
            return _in_one_pass(loops, cov, left, right, ntk, self.constants(cov))
        stretch = _stretch(cov.dtype)
        left = left / -stretch  # negative, which saves a pass: `acos(-cos t) = pi - t`
        norms = torch.mul(left, right, out=torch.empty_like(cov))  # in memory as `cov` is
        cosine = torch.div(cov, norms).clamp_(-1, 1)
        far = torch.acos(cosine)
        both = torch.addcmul(cov.new_ones(()), cosine, cosine, value=-1).sqrt_()
        both.addcmul_(far, cosine, value=-1).mul_(norms.mul_(-2 * even / pi * stretch))
        if odd != even:
            both.add_(cov, alpha=odd - even)
        if ntk is None:
            return both, None
        far.mul_(2 * even / pi)
        if odd != even:
            far.add_(odd - even)
        return both, far.mul_(ntk)

    def constants(self, like: Tensor) -> Tensor:
        """What the compiled loops take."""
        even = (self.above - self.below) ** 2 / 4
        odd = (self.above + self.below) ** 2 / 4
        return like.new_tensor([odd - even, 2 * even / pi, 1.0, pi / 2, _stretch(like.dtype)])

    def value(self, x: Tensor) -> Tensor:
        """`max(0, x) * above + min(0, x) * below`."""
        return torch.where(x > 0, self.above * x, self.below * x)


def lengths(var: Tensor) -> Tensor:
    """Square roots that can be divided by."""
    return var.sqrt().clamp_min(torch.finfo(var.dtype).tiny ** 0.5)


def _stretch(dtype: torch.dtype) -> float:
    """Of cosines before they are cut off at 1: those that are 1 but for rounding become 1."""
    return 1 + 4 * torch.finfo(dtype).eps


def _in_one_pass(
    loops: Any,
    cov: Tensor,
    left: Tensor,
    right: Tensor,
    ntk: Tensor | None,
    constants: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """Both tables, as they lie in memory: rows of a few axes, with the lengths that go with each."""
    order = sorted(range(cov.ndim), key=cov.stride, reverse=True)
    stored = cov.permute(order).contiguous()
    split = stored.ndim - 1
    while split > 0 and prod(stored.shape[split:]) < _ROW:
        split -= 1
    outer, inner = stored.shape[:split], stored.shape[split:]

    def spread(side: Tensor, *, may_be_numbers: bool) -> tuple[np.ndarray, np.ndarray]:
        """Lengths and inverses of each row, and which of them each row of `cov` takes."""
        side = side.reshape(*(1,) * (cov.ndim - side.ndim), *side.shape).permute(order)
        if not may_be_numbers or side.shape[split:].numel() > 1:
            side = side.expand(*side.shape[:split], *inner)
        rows = side.flatten(split) if split < side.ndim else side[..., None]
        rows = rows.reshape(-1, rows.shape[-1])
        index = torch.arange(len(rows)).reshape(side.shape[:split]).expand(outer)
        return torch.stack([rows, 1 / rows], 1).flatten().numpy(), index.flatten().numpy()

    def flat(table: Tensor) -> np.ndarray:
        return table.view(-1).numpy()

    first, row_of = spread(left, may_be_numbers=True)
    second, column_of = spread(right, may_be_numbers=False)
    n_left = int(row_of.max()) + 1
    rest = first, second, row_of, column_of, n_left, constants.numpy()
    back = [order.index(k) for k in range(cov.ndim)]
    moments = torch.empty_like(stored)
    if ntk is None:
        loops.piecewise_linear(flat(stored), None, *rest, flat(moments), None)
        return moments.permute(back), None
    slopes = torch.empty_like(stored)
    before = ntk.expand_as(cov).permute(order).contiguous()
    loops.piecewise_linear(flat(stored), flat(before), *rest, flat(moments), flat(slopes))
    return moments.permute(back), slopes.permute(back)


def remainder(angle: Tensor, norms: Tensor, sine: Tensor, cosine: Tensor) -> Tensor:
    """`|u||v| (sin t - t cos t)`, by its Taylor series where the difference would cancel."""
    square, one = angle * angle, angle.new_ones(())
    series = 1 - square / 88
    for factor in (54, 28, 10):  # 1 - square / factor * series, in one pass over memory
        series = torch.addcmul(one, square, series, value=-1 / factor)
    rest = torch.addcmul(sine, angle, cosine, value=-1)
    return torch.where(angle < 0.1, norms * angle * square / 3 * series, rest)
