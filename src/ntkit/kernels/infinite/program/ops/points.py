"""Where the points come in: products of their features, and sines of few of them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import pi
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.distances import state_of_each, state_of_features
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back

__all__ = ["TakePoints", "UniformSine"]


@dataclass(frozen=True)
class TakePoints(AbstractOp):
    """Dot products of features of the points.

    Attributes:
        features: Their number.
    """

    features: int
    back: Back = field(default="none", kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The state before any layer."""
        context, demand = at.context, at.demand
        if context.points is not None:
            return context.points
        first = context.first.features[self.features]
        if context.second is None:
            return state_of_each(first, demand.layout, with_ntk=context.with_ntk)
        return state_of_features(
            first,
            context.second.features[self.features],
            demand.layout,
            with_ntk=context.with_ntk,
            with_variances=demand.variances,
        )


@dataclass(frozen=True)
class UniformSine(AbstractOp):
    """Sines of a layer with few inputs and uniform weights, by the characteristic function of these.

    With weights `w_i ~ U(-a, a)`, biases `b ~ U(-c, c)` and `sinc(r) = sin(r) / r`

        C(z, t) = E[cos(f (w.z + t b))] = prod_i sinc(f a z_i) sinc(f c t),
        E[s s']     = A^2 (C(x - x', 0) - C(x + x', 2)) / 2           of s = A sin(f (w.x + b)),
        E[ds ds']   = A^2 f^2 (C(x - x', 0) + C(x + x', 2)) / 2       of its derivatives.

    Attributes:
        features: The number of the points' features.
        frequency: `f`.
        amplitude: `A`.
        a: `f a`.
        c: `f c`.
    """

    features: int
    frequency: float
    amplitude: float
    a: float
    c: float

    of_products: ClassVar[bool] = False

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """From the points themselves; the layer's own part of the tangent kernel from its state."""
        left, right = at.context.features(self.features)
        offset = _sinc(torch.tensor(2 * self.c, dtype=left.dtype, device=left.device))
        apart = self._characteristic(left, right, torch.sub)
        around = offset * self._characteristic(left, right, torch.add)
        square, ntk = self.amplitude**2 / 2, states[0].ntk
        state = PairState(
            square * (apart - around),
            None if ntk is None else square * self.frequency**2 * (apart + around) * ntk,
        )
        if not at.demand.variances:
            return state
        var1, var2 = (
            square * (1 - offset * self._characteristic(z, z, torch.add)) for z in (left, right)
        )
        return replace(state, var1=var1, var2=var2)

    def _characteristic(
        self, left: Tensor, right: Tensor, join: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """`prod_i sinc(f a z_i)` of the joined coordinates, one axis at a time."""
        found = _sinc(self.a * join(left[..., 0], right[..., 0]))
        for i in range(1, left.shape[-1]):
            found = found * _sinc(self.a * join(left[..., i], right[..., i]))
        return found


def _sinc(r: Tensor) -> Tensor:
    """`sin(r) / r`."""
    return torch.sinc(r / pi)
