"""Features of the points as the operations take them: what the maps in front make of the points."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.node import map_arg

from ntkit._core.copies import Copier, cloned
from ntkit.encodings.base import AbstractEncoding, AbstractFourier
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.op import Side

__all__ = ["first_encoding", "sees_encoding_alone", "side"]


def side(traced: Traced, lowered: Lowered, inputs: Sequence[Tensor]) -> Side:
    """The features of the points that the steps take, in float64."""
    values = _forward(traced, [wanted.node for wanted in lowered.features], inputs)
    found = {}
    n = len(inputs[0])
    for number, wanted in enumerate(lowered.features):
        z = values[wanted.node]
        z = z.double() if z.is_floating_point() else z
        z = z.reshape(*(1,) * (wanted.ndim - z.ndim), *z.shape)
        if wanted.channel_axis is not None:
            z = z.movedim(wanted.channel_axis, -1)
        if wanted.transform is not None:
            z = wanted.transform(z)
        found[number] = z.expand(n, *z.shape[1:]) if len(z) == 1 else z
    return Side(found)


def first_encoding(traced: Traced) -> AbstractFourier | None:
    """The stationary encoding that is all that ever sees the points, if there is one."""
    inputs = traced.inputs
    if len(inputs) != 1 or len(inputs[0].users) != 1:
        return None
    first = next(iter(inputs[0].users))
    if first.op != "call_module":
        return None
    layer = traced.layer(first)
    return layer if isinstance(layer, AbstractFourier) and layer.is_stationary else None


def sees_encoding_alone(lowered: Lowered, encoding: AbstractFourier, traced: Traced) -> bool:
    """Whether the steps take the encoding's own features, untouched: then the kernel is stationary."""
    nodes = {wanted.node for wanted in lowered.features}
    layers = [traced.layer(node) for node in nodes if node.op == "call_module"]
    plain = all(wanted.transform is None for wanted in lowered.features)
    return len(nodes) == 1 and layers == [encoding] and plain


def _forward(
    traced: Traced, wanted: list[fx.Node], inputs: Sequence[Tensor]
) -> dict[fx.Node, Tensor]:
    """What the wanted nodes make of the points; only what they depend on is computed."""
    needed: set[fx.Node] = set()
    waiting = list(wanted)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    values: dict[fx.Node, Any] = {}
    tensors = iter(inputs)
    is_computed = any(node.op != "placeholder" for node in needed)
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            x = next(tensors)
            # Never the caller's own memory, which calls in place would overwrite.
            values[node] = x.clone() if is_computed and x.dtype == torch.float64 else x.double()
        elif node not in needed:
            continue
        else:
            args, kwargs = map_arg((node.args, node.kwargs), lambda n: values[n])
            values[node] = _apart(traced, node, args, kwargs)
    return {node: values[node] for node in wanted}


def _apart(traced: Traced, node: fx.Node, args: Any, kwargs: Any) -> Any:
    """A call; where a layer of others' is called that may write into itself, that of a copy."""
    if node.op == "call_module":
        layer = traced.layer(node)
        if next(layer.buffers(), None) is not None and not isinstance(layer, AbstractEncoding):
            return Copier(cloned)(layer)(*args, **kwargs)
    return traced.call(node, args, kwargs)
