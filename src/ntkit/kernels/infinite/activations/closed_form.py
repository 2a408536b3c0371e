"""What the closed forms have in common: distances of the outputs without cancellation."""

from abc import abstractmethod

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import (
    AbstractActivation,
    Dual,
    pair_in_double,
    rounded,
)
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt
from ntkit.kernels.infinite.activations.spread import defect

__all__ = ["AbstractClosedForm"]

_LIKE = 1e-14
"""Relative difference of the variances that is taken for rounding: it turns the outputs by no more."""

_NEAR = 1e-4
"""Share of the lengths below which a distance is integrated: a difference has errors of 1e-16 of
them, which is 1e-14 in the angle there."""


class AbstractClosedForm(AbstractActivation):
    """An activation whose moments are formulas.

    The squared distance of the outputs at the angle `t` is twice `fall` (what the covariance lost
    since `t = 0`) and what the unlike lengths of the inputs take away even there. An even function
    sees `v` and `-v` alike, an odd one turns with them, and so their angles keep all digits near
    `t = pi` too. Others resolve how far outputs are from opposite to 1e-8.

    Attributes:
        is_even: `s(-x) = s(x)`.
        keeps_rays: `s(a x)` is a multiple of `s(x)` for `a > 0`: unlike lengths take nothing away.
    """

    is_even: bool = False
    keeps_rays: bool = False

    @abstractmethod
    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """`E[s(u) s(v)]` and `E[s'(u) s'(v)]` of a float64 pair."""

    @abstractmethod
    def fall(self, pair: Pair) -> Tensor:
        """`E[s(u) s(v)]` at the angle 0 less that at the pair's own, without cancellation near 0."""

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """Both moments, and the distances that the angle of the outputs is taken from."""
        dtype, pair = pair.cov.dtype, pair_in_double(pair)
        cov, derivative = self.moments(pair, slope=slope)
        lengths = safe_sqrt(self.variance(pair.var1)) * safe_sqrt(self.variance(pair.var2))
        near = pair.folded() if self.is_even or self.is_odd else pair
        fall = self.fall(near)
        close = 2 * (fall + self._unlike(near, lengths, fall))
        wide = 2 * (lengths + torch.where(pair.cov < 0, -cov, cov))
        if self.is_odd:
            apart = torch.where(pair.cov < 0, wide, close)
            together = torch.where(pair.cov < 0, close, wide)
        else:
            apart, together = close, 2 * (lengths + cov)
        return rounded(Dual(cov, derivative, apart.clamp_min(0), together.clamp_min(0)), dtype)

    def defect(self, var1: Tensor, var2: Tensor, over: Tensor) -> Tensor:
        """`E[s(u)^2] E[s(v)^2] - E[s(u) s(v)]^2` of parallel inputs of these variances, over a number."""
        return defect(self.value, safe_sqrt(var1), safe_sqrt(var2), over)

    def _unlike(self, pair: Pair, lengths: Tensor, fall: Tensor) -> Tensor:
        """`sqrt(E[s(u)^2] E[s(v)^2])` less the covariance of the outputs of parallel inputs."""
        zero = torch.zeros_like(fall)
        var1, var2 = pair.var1 + zero, pair.var2 + zero
        unlike = (var1 - var2).abs() > _LIKE * torch.maximum(var1, var2)
        if self.keeps_rays or not bool(unlike.any()):
            return zero
        norms = pair.norms + zero
        parallel = Pair(norms, zero, 4 * norms, var1, var2)
        top = self.moments(parallel, slope=False)[0]
        plain = torch.where(unlike, (lengths - top).clamp_min(0), 0)
        small = unlike & (fall + plain < _NEAR * lengths)
        if not bool(small.any()):
            return plain
        places = small.nonzero(as_tuple=True)
        both = (lengths + zero)[places] + top[places]
        found = self.defect(var1[places], var2[places], torch.where(both > 0, both, 1))
        return plain.index_put(places, found)
