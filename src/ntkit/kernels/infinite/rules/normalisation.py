"""Layers that divide a unit by a length: of layers, groups and roots; batch statistics held fixed."""

from typing import Any

import torch
from torch import Tensor, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Variances, mean_square

__all__ = ["batch_norm", "group_norm", "layer_norm", "rms_norm"]


@rules.register(nn.LayerNorm, effect="centring")
def layer_norm(layer: nn.LayerNorm, state: PairState, variances: Variances) -> PairState:
    """`cov <- cov / sqrt((var1 + eps)(var2 + eps))`; scale and shift contribute `cov + 1`.

    The mean over many centred channels vanishes. Normalised axes beside the channels count too.

    Source: Yang 2019 (arXiv:1902.04760), section 4.
    """
    every = _over_positions(layer, layer.normalized_shape, state)
    return _normalised(state, layer.eps, layer.weight, layer.bias, over_positions=every)


@rules.register(nn.RMSNorm, effect="normalising")
def rms_norm(layer: nn.RMSNorm, state: PairState, variances: Variances) -> PairState:
    """As layer normalisation, without the mean: the units need not be centred.

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4; the limit as in Yang 2019.
    """
    every = _over_positions(layer, layer.normalized_shape, state)
    dtype = torch.get_default_dtype() if layer.weight is None else layer.weight.dtype
    eps = torch.finfo(dtype).eps if layer.eps is None else layer.eps
    return _normalised(state, eps, layer.weight, None, over_positions=every)


@rules.register(nn.GroupNorm, effect="centring", channel_axis=1)
def group_norm(layer: nn.GroupNorm, state: PairState, variances: Variances) -> PairState:
    """Layer normalisation over the channels of a group and all positions.

    The groups stay as many as the width grows, so that each has many channels: then all have the
    same mean (none) and variance.

    Raises:
        UnsupportedLayerError: A group is one channel.

    Source: Wu and He 2018 (arXiv:1803.08494), eq. 7; the limit as in Yang 2019.
    """
    if layer.num_groups == layer.num_channels:
        raise UnsupportedLayerError(
            f"`{layer}` has one channel a group, whose random mean and variance stay random at any "
            "width. Use fewer groups."
        )
    return _normalised(state, layer.eps, layer.weight, layer.bias, over_positions=True)


@rules.register(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, effect="scaling", channel_axis=1)
def batch_norm(layer: Any, state: PairState, variances: Variances) -> PairState:
    """At the running statistics: a scale and a shift of each channel, taken by their mean squares.

    Exact where all channels have the same statistics (as after the start); channels that differ are
    taken as random draws, as the weights are.

    Raises:
        UnsupportedLayerError: It takes the statistics of the batch.
    """
    if layer.training or layer.running_var is None:
        raise UnsupportedLayerError(
            f"`{layer}` in training mode couples the inputs of a batch, and so do batch statistics "
            "without running ones. Call `module.eval()`, or use `nn.LayerNorm`."
        )
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


def _over_positions(layer: Any, shape: tuple[int, ...], state: PairState) -> bool:
    """Whether a normalised shape covers all positions beside the channels; else it covers none.

    Raises:
        UnsupportedLayerError: It covers some.
    """
    extra = len(shape) - 1
    every = state.is_flat or extra == len(state.positions)
    if extra and not every:
        raise UnsupportedLayerError(
            f"`{layer}` normalises over some positions and not others. Normalise over the channels, "
            "or over channels and all positions."
        )
    return every


def _normalised(
    state: PairState,
    eps: float,
    weight: Tensor | None,
    bias: Tensor | None,
    *,
    over_positions: bool,
) -> PairState:
    """Each unit over its point's length, then scales and shifts, trained along."""
    var1, var2 = state.var1, state.var2
    assert var1 is not None and var2 is not None
    if over_positions and state.positions:
        axes = tuple(range(2, var1.ndim))
        var1, var2 = var1.mean(axes, keepdim=True), var2.mean(axes, keepdim=True)
    state = state.normalised(var1 + eps, var2 + eps)
    if weight is None:
        return state
    w, b = mean_square(weight), 0.0 if bias is None else mean_square(bias)
    own_bias = 0.0 if bias is None else 1.0
    by_position = weight.ndim > 1
    return state.trained_scale(w, b, own_weight=1.0, own_bias=own_bias, by_position=by_position)
