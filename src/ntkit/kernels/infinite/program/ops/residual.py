"""The ReLU after a residual sum whose shortcut comes out of a ReLU."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations.residual import residual_moments, residual_variance
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back

__all__ = ["BendResidual"]


@dataclass(frozen=True)
class BendResidual(AbstractOp):
    """`max(0, g + factor max(0, u))` of independent Gaussian units: of `u`, the first input, and `g`.

    Attributes:
        factor: Of the shortcut, above zero.
    """

    factor: float
    back: Back = field(default="variances", kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The moments, and both tangent kernels times the mean products of the derivatives.

        Raises:
            UnsupportedLayerError: Gradients are asked for.
        """
        u, g = (state.factorised() if state.has_scales else state for state in states)
        if at.context.watch is not None:
            at.context.watch.see(u)
            at.context.watch.see(g)
        if torch.is_grad_enabled() and (u.cov.requires_grad or g.cov.requires_grad):
            raise UnsupportedLayerError(
                "A gradient of an infinite-width kernel was asked for, where a ReLU comes after `x + f(x)` "
                "and `x` out of a ReLU: only values have a formula. Take differences of values, or let "
                "the shortcut end in weights of its own."
            )
        square = self.factor**2
        of_u, of_g = u.scaled(square).pair, g.pair
        found = residual_moments(of_u, of_g)
        ntk = None
        if u.ntk is not None and g.ntk is not None:
            ntk = square * u.ntk * found.slope_u + g.ntk * found.slope_g
        variances: dict[str, Tensor | None] = dict.fromkeys(("var1", "var2"))
        if at.demand.variances:
            variances["var1"] = residual_variance(of_u.var1, of_g.var1)
            variances["var2"] = residual_variance(of_u.var2, of_g.var2)
        bare = replace(g.without_scales(), apart=None, together=None)
        return replace(bare, cov=found.cov, ntk=ntk, **variances)
