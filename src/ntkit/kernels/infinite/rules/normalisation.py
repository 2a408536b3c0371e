"""Batch statistics held fixed: a scale and a shift of each channel."""

from typing import Any

from torch import nn

from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Variances

__all__ = ["batch_norm"]


@rules.register(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, effect="scaling", channel_axis=1)
def batch_norm(layer: Any, state: PairState, variances: Variances) -> PairState:
    """At the running statistics: a scale and a shift of each channel, taken by their mean squares.

    Exact where all channels have the same statistics (as after the start); channels that differ are
    taken as random draws, as the weights are.
    """
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    scale, shift = inverse, -mean * inverse
    if layer.weight is not None:
        weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
        scale, shift = weight * scale, weight * shift + bias
    own = float((inverse**2).mean()) if layer.weight is not None else 0.0
    return state.trained_scale(
        float((scale**2).mean()),
        float((shift**2).mean()),
        own_weight=own,
        own_bias=float((mean**2 * inverse**2).mean()) + 1 if layer.weight is not None else 0.0,
    )
