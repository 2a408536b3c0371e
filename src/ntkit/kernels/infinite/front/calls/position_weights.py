"""Branches times weights of positions."""

from collections.abc import Callable

from torch import Tensor, fx

from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.taken import Features
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.positions import WeighPositions

__all__ = ["weighted"]


def weighted(
    reader: Reader,
    node: fx.Node,
    index: int,
    factor: fx.Node,
    function: Callable[[Tensor], Tensor] | None = None,
) -> int:
    """Times a tensor of one channel (or a function of it): masks and weights of positions."""
    value = reader.units(index)
    shape, full = list(reader.shape(factor)), reader.shape(node)
    shape = [1] * (len(full) - len(shape)) + shape
    if (value.channel_axis and shape[value.channel_axis] != 1) or value.is_flat:
        refuse(
            node,
            f"units are scaled by a tensor of shape {tuple(shape)}, which differs from channel to "
            "channel. Only weights of positions (one channel) have a rule.",
        )
    number = reader.take(Features(factor, None, len(full), function))
    name, axis = "weights of positions", value.channel_axis
    return reader.add(WeighPositions(name, (index,), value, number, axis, len(full)))
