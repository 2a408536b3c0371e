"""Batch statistics held fixed: a scale and a shift of each channel."""

from typing import Any

from torch import Tensor, nn

from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Taken, spread_of

__all__ = ["batch_norm", "scale_and_shift"]


def scale_and_shift(layer: Any) -> tuple[Tensor, Tensor]:
    """What a layer does to each channel at the running statistics."""
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    if layer.weight is None:
        return inverse, -mean * inverse
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    return weight * inverse, bias - weight * mean * inverse


@rules.register(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, effect="scaling", channel_axis=1)
def batch_norm(layer: Any, state: PairState, variances: Taken) -> PairState:
    """At the running statistics: a scale and a shift of each channel, taken by their mean squares.

    Exact where all channels have the same statistics (as after the start); channels that differ are
    taken as random draws, as the weights are. "centred" leaves the mean of the shifts out.
    """
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    scale, shift = scale_and_shift(layer)
    own = float((inverse**2).mean()) if layer.weight is not None else 0.0
    return state.trained_scale(
        float((scale**2).mean()),
        spread_of(shift) if variances == "centred" else float((shift**2).mean()),
        own_weight=own,
        own_bias=float((mean**2 * inverse**2).mean()) + 1 if layer.weight is not None else 0.0,
    )
