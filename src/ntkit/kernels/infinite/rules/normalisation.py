"""Layers that divide a unit by a length: layer normalisation, and batch statistics held fixed."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.variances import Variances, mean_square

__all__ = ["batch_norm", "layer_norm"]


@rules.register(nn.LayerNorm, effect="scaling")
def layer_norm(layer: nn.LayerNorm, state: PairState, variances: Variances) -> PairState:
    """`cov <- cov / sqrt((var1 + eps)(var2 + eps))`; scale and shift contribute `cov + 1`.

    The mean over many centred channels vanishes. Normalised axes beside the channels count too.

    Raises:
        UnsupportedLayerError: It normalises over some positions and not others.

    Source: Yang 2019 (arXiv:1902.04760), section 4.
    """
    extra = len(layer.normalized_shape) - 1
    assert state.var1 is not None and state.var2 is not None
    every = state.is_flat or extra == len(state.positions)
    if extra and not every:
        raise UnsupportedLayerError(
            f"`{layer}` normalises over some positions and not others. Normalise over the channels, "
            "or over channels and all positions."
        )
    var1, var2 = state.var1, state.var2
    if every and state.positions:
        axes = tuple(range(2, var1.ndim))
        var1, var2 = var1.mean(axes, keepdim=True), var2.mean(axes, keepdim=True)
    state = state.normalised(var1 + layer.eps, var2 + layer.eps)
    if extra and layer.weight is not None and state.layout == "pairs" and not state.is_flat:
        return _with_own_positions(layer, state)
    return _scaled_and_shifted(layer.weight, layer.bias, state)


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
    return state.affine(
        float((scale**2).mean()),
        float((shift**2).mean()),
        own_weight=own,
        own_bias=float((mean**2 * inverse**2).mean()) + 1 if layer.weight is not None else 0.0,
    )


def _with_own_positions(layer: nn.LayerNorm, state: PairState) -> PairState:
    """Scales and shifts of each position's own, at their start: one and zero.

    Raises:
        UnsupportedLayerError: They are not.
    """
    bias = layer.bias
    if bool((layer.weight != 1).any()) or (bias is not None and bool(bias.any())):
        raise UnsupportedLayerError(
            f"`{layer}` has trained scales and shifts of each position, and all pairs of positions "
            "are needed. Use `elementwise_affine=False`, or normalise over the channels alone."
        )
    if state.ntk is None:
        return state
    own = float(state.trains[0]) * state.cov
    if bias is not None:
        own = own + float(state.trains[1])
    apart = replace(covariance_only(state), cov=own, ntk=None).decorrelated()
    return replace(state, ntk=state.ntk + apart.cov)


def _scaled_and_shifted(weight: Tensor | None, bias: Tensor | None, state: PairState) -> PairState:
    if weight is None:
        return state
    return state.affine(
        mean_square(weight),
        0.0 if bias is None else mean_square(bias),
        own_weight=1.0,
        own_bias=0.0 if bias is None else 1.0,
    )
