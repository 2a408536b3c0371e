"""Calls that pool positions: functions, and layers with or without numbers of their own."""

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn

from ntkit._core.copies import Copier
from ntkit.kernels.infinite.front.calls import shapes
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.moments.position_maps import PositionMap, probe
from ntkit.kernels.infinite.program.op import AbstractUnbound
from ntkit.kernels.infinite.program.ops.positions import MapPositions
from ntkit.kernels.infinite.rules.kinds import Pools

__all__ = ["pooled"]


def pooled(reader: Reader, node: fx.Node, meaning: Pools) -> int | None:
    """A linear map of positions; where a layer holds numbers, with those of each call of the kernel."""
    layer = reader.layer(node) if node.op == "call_module" else None
    if layer is None or not _tensors(layer):
        return shapes.positions(reader, node)
    if all(reader.states.get(n) is None for n in node.all_input_nodes):
        return None  # of the points' own features: part of the feature map
    if node.kwargs or len(node.args) != 1:
        refuse(node, "a layer that pools by numbers of its own takes the units alone.")
    index = reader.only_state(node)
    return reader.per_part(index, lambda part: _of_layer(reader, node, layer, part))


def _of_layer(reader: Reader, node: fx.Node, layer: nn.Module, index: int) -> int:
    value = reader.units(index)
    mixing, axis = shapes.probed(reader, node, _in_double(layer), index)
    if mixing.moves_channels or value.channel_axis == 0:
        refuse(node, "it takes units of several channels, and leaves them in their order.")
    units = replace(value, channel_axis=axis, positions=mixing.positions)
    name = f"map of positions {value.positions} to {mixing.positions} ({node.name})"
    before = value.positions, value.channel_axis
    return reader.add(PoolCall(name, (index,), units, layer, *before, back="pairs"))


@dataclass(frozen=True)
class PoolCall(AbstractUnbound):
    """A call of a layer that pools by numbers of its own.

    Attributes:
        layer: It.
        positions: Sizes of the axes of positions before.
        channel_axis: Where the channels are before.
    """

    layer: nn.Module
    positions: tuple[int, ...]
    channel_axis: int

    def bind(self) -> MapPositions:
        """By the matrix of the numbers as they are now; probed again once they have changed."""
        known = _known.setdefault(self.layer, {})
        place, now = (self.positions, self.channel_axis), _tensors(self.layer)
        then, mixing = known.get(place, ((), None))
        if mixing is None or not all(map(torch.equal, then, now)):
            layer, axis = _in_double(self.layer), self.channel_axis
            mixing, _ = probe(layer, self.positions, axis, what=self.name)
            known[place] = tuple(t.clone() for t in now), mixing
        return MapPositions(self.name, self.inputs, self.units, mixing, back="pairs")


_known: WeakKeyDictionary[
    nn.Module,
    dict[tuple[tuple[int, ...], int], tuple[tuple[Tensor, ...], PositionMap]],
] = WeakKeyDictionary()
"""By layer and what it acts on: its numbers when it was probed, and the matrix."""


def _tensors(layer: nn.Module) -> tuple[Tensor, ...]:
    return tuple(t.detach() for t in (*layer.parameters(), *layer.buffers()))


def _in_double(layer: nn.Module) -> nn.Module:
    """A copy that takes unit images in float64, and may write into itself."""

    def wide(tensor: Tensor) -> Tensor:
        tensor = tensor.detach().cpu()
        return tensor.double() if tensor.is_floating_point() else tensor.clone()

    return Copier(wide)(layer)
