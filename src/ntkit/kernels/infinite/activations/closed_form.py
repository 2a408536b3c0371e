"""What the closed forms have in common: distances of the outputs without cancellation."""

from abc import abstractmethod

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import AbstractActivation, Dual
from ntkit.kernels.infinite.activations.in_double import pair_in_double, rounded
from ntkit.kernels.infinite.activations.spread import spread_curvature
from ntkit.kernels.infinite.pair import Pair, safe_sqrt

__all__ = ["AbstractClosedForm"]

_NEAR = 1e-4
"""Ratio of lengths, less one, and angle below which the difference of lengths is expanded: what the
expansion leaves out is the square of it, what a difference would lose is 1e-16 over its square."""


class AbstractClosedForm(AbstractActivation):
    """An activation whose moments are formulas.

    The squared distance of the outputs at the angle `t` is twice `fall` (what the covariance lost
    since `t = 0`) and what the unlike lengths of the inputs take away even there.
    """

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
        uneven = self.is_homogeneous or torch.equal(*torch.broadcast_tensors(pair.var1, pair.var2))
        unlike = torch.zeros_like(pair.cov) if uneven else self._unlike(pair, lengths)
        apart = 2 * (self.fall(pair) + unlike)
        together = 2 * (lengths + cov)
        if self.is_odd:
            mirrored = 2 * (self.fall(pair.flipped()) + unlike)
            together = torch.where(cov > 0, together, mirrored)
        dual = Dual(cov, derivative, apart.clamp_min(0), together.clamp_min(0))
        return rounded(dual, dtype)

    def _unlike(self, pair: Pair, lengths: Tensor) -> Tensor:
        """`sqrt(E[s(u)^2] E[s(v)^2])` less the covariance of the outputs of parallel inputs."""
        zero = torch.zeros_like(pair.cov)
        norms = pair.norms
        parallel = Pair(norms + zero, zero, 4 * norms + zero, pair.var1, pair.var2)
        plain = (lengths - self.moments(parallel, slope=False)[0]).clamp_min(0)
        difference = pair.var1 - pair.var2
        larger = torch.maximum(pair.var1, pair.var2)
        close = (difference.abs() < 2 * _NEAR * larger) & (pair.apart < _NEAR**2 * norms)
        if not bool(close.any()):
            return plain
        near = spread_curvature(self.value, pair.var1) + spread_curvature(self.value, pair.var2)
        step = torch.where(larger > 0, difference / torch.where(larger > 0, larger, 1), 0) / 4
        return torch.where(close, near * step**2, plain)
