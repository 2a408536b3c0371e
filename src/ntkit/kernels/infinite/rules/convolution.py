"""Convolutions, their transposes and locally connected layers, in both parametrisations."""

from dataclasses import replace
from math import prod
from typing import Any

from torch import nn

from ntkit.kernels.infinite.moments.convolution import Windows, convolved
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.moments.window import Window
from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.rules.variances import Taken, layer_variances
from ntkit.networks.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    LocalConv1d,
    LocalConv2d,
    LocalConv3d,
)
from ntkit.networks.scales import squared


def _standard(layer: Any, positions: tuple[int, ...], variances: Taken) -> Windows:
    """Standard parametrisation: `cov <- v C sum_k cov + u`, own part `C sum_k cov + 1`.

    Source: Arora et al. 2019 (arXiv:1904.11955), section 4; Sohl-Dickstein et al. 2020.
    """
    v, u = layer_variances(layer, variances)
    channels = layer.in_channels // layer.groups
    own_bias = 0.0 if layer.bias is None else 1.0
    return Windows(_taps(layer, positions), channels, v, u, 1.0, own_bias)


def _ntk(layer: Any, positions: tuple[int, ...], variances: Taken) -> Windows:
    """NTK parametrisation: `cov <- w^2 / K sum_k cov + b^2` over `K` taps, own part the same."""
    w = squared(layer.w_std) / prod(layer.kernel_size)
    b = squared(layer.b_std) if layer.bias is not None else 0.0
    return Windows(_taps(layer, positions), w, 1.0, b, 1.0, b)


@rules.register(
    nn.Conv1d, nn.Conv2d, nn.Conv3d, effect="windows", channel_axis=1, windows=_standard
)
def standard_convolution(
    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, state: PairState, variances: Taken
) -> PairState:
    """Standard parametrisation."""
    return convolved(state, _standard(layer, state.positions, variances))


@rules.register(
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    effect="windows",
    channel_axis=1,
    windows=_standard,
)
def standard_transposed(
    layer: nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d,
    state: PairState,
    variances: Taken,
) -> PairState:
    """As the convolution, each input spread over its window."""
    return convolved(state, _standard(layer, state.positions, variances))


@rules.register(Conv1d, Conv2d, Conv3d, effect="windows", channel_axis=1, windows=_ntk)
def ntk_convolution(layer: Any, state: PairState, variances: Taken) -> PairState:
    """NTK parametrisation."""
    return convolved(state, _ntk(layer, state.positions, variances))


@rules.register(
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    effect="windows",
    channel_axis=1,
    windows=_ntk,
)
def ntk_transposed(layer: Any, state: PairState, variances: Taken) -> PairState:
    """As the convolution, each input spread over its window."""
    return convolved(state, _ntk(layer, state.positions, variances))


def _local(layer: Any, positions: tuple[int, ...], variances: Taken) -> Windows:
    return replace(_ntk(layer, positions, variances), is_local=True)


@rules.register(
    LocalConv1d, LocalConv2d, LocalConv3d, effect="windows", channel_axis=1, windows=_local
)
def local_convolution(layer: Any, state: PairState, variances: Taken) -> PairState:
    """Weights of their own at each position: different positions are independent.

    Source: Novak et al. 2019 (arXiv:1810.05148), section 5.1.
    """
    return convolved(state, _local(layer, state.positions, variances))


_TRANSPOSED = (
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
)


def _taps(layer: Any, positions: tuple[int, ...]) -> tuple[Window, ...]:
    """The window along each axis."""
    mode, transposed = layer.padding_mode, isinstance(layer, _TRANSPOSED)
    found = []
    for k, size in enumerate(positions):
        kernel, stride, dilation = layer.kernel_size[k], layer.stride[k], layer.dilation[k]
        reach = dilation * (kernel - 1)
        if layer.padding == "same":
            before, after = reach // 2, reach - reach // 2
        elif layer.padding == "valid":
            before = after = 0
        else:
            before = after = layer.padding[k]
        if transposed:
            after -= layer.output_padding[k]
        found.append(Window(size, kernel, stride, dilation, before, after, mode, transposed))
    return tuple(found)
