"""Branches times weights of positions."""

from collections.abc import Callable

import torch
from torch import Tensor, fx

from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Step
from ntkit.kernels.infinite.trace import refuse

__all__ = ["weighted"]


def weighted(
    reader: Reader,
    node: fx.Node,
    index: int,
    factor: fx.Node,
    function: Callable[[Tensor], Tensor] | None = None,
) -> int:
    """Times a tensor of one channel (or a function of it): masks and weights of positions."""
    value = reader.value(index)
    shape, full = list(reader.shape(factor)), reader.shape(node)
    shape = [1] * (len(full) - len(shape)) + shape
    if (value.channel_axis and shape[value.channel_axis] != 1) or value.is_flat:
        refuse(
            node,
            f"units are scaled by a tensor of shape {tuple(shape)}, which differs from channel to "
            "channel. Only weights of positions (one channel) have a rule.",
        )
    place = len(reader.steps)
    reader.features[place] = factor
    reader.channel_axes[place] = None
    reader.ranks[place] = len(full)
    if function is not None:
        reader.transforms[place] = function
    axis, positions = value.channel_axis, value.positions

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        left, right = context.both_features(place)
        k, pairs = len(positions), demand.layout == "pairs"

        def shaped(weight: torch.Tensor, *, first: bool) -> torch.Tensor:
            weight = weight.double()
            weight = weight.reshape(*weight.shape[:2], *_without(weight.shape[2:], axis - 1, full))
            if not (pairs and k):
                return weight
            blank = (1,) * k
            lead, tail = weight.shape[:2], weight.shape[2:]
            return (
                weight.reshape(*lead, *tail, *blank)
                if first
                else weight.reshape(*lead, *blank, *tail)
            )

        return states[0].weighted(shaped(left, first=True), shaped(right, first=False))

    return reader.add(Step("weights of positions", (index,), run, value, is_linear=True))


def _without(shape: torch.Size, axis: int, full: torch.Size) -> tuple[int, ...]:
    """Sizes `[1.., ...]` completed to the rank of `full` (batch apart), less the channel axis."""
    sizes = [1] * (len(full) - 1 - len(shape)) + list(shape)
    if axis >= 0:  # one unit has none
        del sizes[axis]
    return tuple(sizes)
