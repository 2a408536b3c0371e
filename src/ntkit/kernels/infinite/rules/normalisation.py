"""Normalisation: of a point's units by what they have in common, and by batch statistics held fixed."""

from typing import Any

import torch
from torch import Tensor, nn

from ntkit.kernels.infinite.meanings import meanings
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.kinds import Norm, Normalises, Pools
from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.rules.variances import Taken, spread_of

__all__ = ["BATCH", "batch_norm", "epsilon_of", "keeps_units", "own_cross", "scale_and_shift"]


def scale_and_shift(layer: Any) -> tuple[Tensor, Tensor]:
    """What a layer does to each channel at the running statistics."""
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    if layer.weight is None:
        return inverse, -mean * inverse
    weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
    return weight * inverse, bias - weight * mean * inverse


def own_cross(layer: Any) -> float:
    """What the scales' own part of the tangent kernel has of the means of units, over their sum."""
    if layer.weight is None:
        return 0.0
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    return -float((layer.running_mean.double() * inverse**2).mean())


def _numbers(layer: Any, variances: Taken) -> Weights:
    """At the running statistics: a scale and a shift of each channel, taken by their mean squares.

    "centred" leaves the mean of the shifts out.
    """
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    scale, shift = scale_and_shift(layer)
    own = float((inverse**2).mean()) if layer.weight is not None else 0.0
    return Weights(
        float((scale**2).mean()),
        spread_of(shift) if variances == "centred" else float((shift**2).mean()),
        own,
        float((mean**2 * inverse**2).mean()) + 1 if layer.weight is not None else 0.0,
    )


@rules.register(
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
    effect="scaling",
    channel_axis=1,
    numbers=_numbers,
)
def batch_norm(layer: Any, state: PairState, variances: Taken) -> PairState:
    """At the running statistics: a scale and a shift of each channel.

    Exact where all channels have the same statistics (as after the start); channels that differ are
    taken as random draws, as the weights are.
    """
    return _numbers(layer, variances).of_units(state)


BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""Layers that hold batch statistics."""


def epsilon_of(layer: Any) -> float:
    """What keeps a normalisation from dividing by zero; of RMS norms without a number the dtype's own."""
    if layer.eps is not None:
        return layer.eps
    weight = layer.weight
    return torch.finfo(torch.get_default_dtype() if weight is None else weight.dtype).eps


def _last(layer: Any) -> tuple[int, ...]:
    return tuple(range(-len(layer.normalized_shape), 0))


@rules.normalisation(nn.LayerNorm)
def layer_norm(layer: nn.LayerNorm) -> Norm:
    """Of all units.

    Source: Ba et al. 2016 (arXiv:1607.06450).
    """
    return Norm(_last(layer), layer.eps, True, None, layer.weight, layer.bias)


@rules.normalisation(nn.RMSNorm)
def rms_norm(layer: nn.RMSNorm) -> Norm:
    """Of all units, whose mean stays.

    Source: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4.
    """
    return Norm(_last(layer), epsilon_of(layer), scale=layer.weight)


@rules.normalisation(nn.GroupNorm, channel_axis=1)
def group_norm(layer: nn.GroupNorm) -> Norm:
    """Of the units of each group.

    Source: Wu and He 2018 (arXiv:1803.08494), eq. 7.
    """
    return Norm(None, layer.eps, True, layer.num_groups, layer.weight, layer.bias)


def keeps_units(layer: object) -> bool:
    """Whether a layer may have parameters and yet mixes no channels by fresh weights."""
    if isinstance(layer, (nn.PReLU, *BATCH)):
        return True
    known = map(meanings.get, type(layer).__mro__)
    return any(isinstance(meaning, Normalises | Pools) for meaning in known)
