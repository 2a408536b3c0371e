"""The numbers of a layer with weights, or with trained scales: what it does to both kernels."""

from dataclasses import dataclass, replace

from ntkit.kernels.infinite.moments.scales import Scale
from ntkit.kernels.infinite.moments.state import PairState

__all__ = ["Weights"]


@dataclass(frozen=True)
class Weights:
    """`cov <- w cov + b`, `ntk <- w ntk + own_weight cov + own_bias`.

    Attributes:
        w: Of both kernels.
        b: Of the biases or shifts.
        own_weight: What the weights themselves contribute to the tangent kernel.
        own_bias: What the biases contribute.
    """

    w: Scale
    b: Scale
    own_weight: Scale
    own_bias: Scale

    def trained(self, weight: bool, bias: bool) -> "Weights":
        """Without what frozen weights or biases would contribute."""
        if weight and bias:
            return self
        return replace(
            self,
            own_weight=self.own_weight if weight else 0.0,
            own_bias=self.own_bias if bias else 0.0,
        )

    def of(self, state: PairState) -> PairState:
        """The state after fresh weights, see `PairState.affine`."""
        return state.affine(self.w, self.b, own_weight=self.own_weight, own_bias=self.own_bias)

    def of_units(self, state: PairState, *, by_position: bool = False) -> PairState:
        """The state after a trained scale and shift of each unit, see `PairState.trained_scale`."""
        w, b, own_weight, own_bias = map(float, (self.w, self.b, self.own_weight, self.own_bias))
        return state.trained_scale(
            w, b, own_weight=own_weight, own_bias=own_bias, by_position=by_position
        )
