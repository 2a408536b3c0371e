"""Concatenation of features and of positions, and splitting features again."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from ntkit.kernels.infinite.activations import duals
from ntkit.kernels.infinite.front.calls import branches, parameters, shapes
from ntkit.kernels.infinite.front.calls.pieces import channels, pieces
from ntkit.kernels.infinite.front.calls.pointwise import activated
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.concatenate import SideBySide

__all__ = ["concatenate", "gated", "stack"]


@reads(torch.cat, torch.concat, torch.concatenate, torch.hstack)
def concatenate(reader: Reader, node: fx.Node) -> int:
    """Of features: weights mix them in proportion to their numbers. Of positions, if independent."""
    given: Any = node.args[0] if node.args else node.kwargs["tensors"]
    default = 1 if node.target is torch.hstack else 0
    dim: Any = node.kwargs.get(
        "dim", node.kwargs.get("axis", node.args[1] if len(node.args) > 1 else default)
    )
    parts = _parts(reader, node, given)
    known = [part.index for part in parts if part.index is not None]
    axis, dim = reader.units(known[0]).channel_axis, dim % len(reader.shape(node))
    if any(reader.units(k).channel_axis != axis for k in known):
        refuse(node, "units are concatenated whose channels are at different axes.")
    if dim == 0:
        refuse(node, "a concatenation of points (axis 0) has no rule.")
    if dim != axis:
        return _positions(reader, node, parts, known[0], dim)
    return _features(reader, node, parts, axis)


@reads(torch.stack, torch.vstack)
def stack(reader: Reader, node: fx.Node) -> int:
    """A concatenation along a new axis of positions."""
    given: Any = node.args[0] if node.args else node.kwargs["tensors"]
    dim: Any = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
    dim = dim % len(reader.shape(node))
    if dim == 0 or node.target is torch.vstack:
        refuse(node, "a stack of points (axis 0) has no rule. Stack along 1 or a later axis.")
    parts = []
    for part in _parts(reader, node, given):
        after = torch.Size((*part.shape[:dim], 1, *part.shape[dim:]))
        if part.index is None:
            refuse(node, "features are stacked with units. Embed them first.")
        index = shapes.unsqueezed(reader, part.index, dim)
        parts.append(replace(part, index=index, shape=after))
    assert parts[0].index is not None
    return _positions(reader, node, parts, parts[0].index, dim)


@dataclass(frozen=True)
class _Part:
    """What is concatenated: a node (None for a piece of a split), its step if it has one, its shape."""

    node: fx.Node | None
    index: int | None
    shape: torch.Size


def _parts(reader: Reader, node: fx.Node, given: Any) -> list[_Part]:
    if isinstance(given, fx.Node):
        if given not in reader.pieces:
            refuse(node, "it takes a tensor in place of a list of tensors.")
        found = zip(pieces(reader, node, given), reader.sample[given], strict=True)
        return [_Part(None, index, shape) for index, shape in found]
    return [_Part(part, reader.state(part), reader.shape(part)) for part in given]


@reads(nn.GLU, functional.glu)
def gated(reader: Reader, node: fx.Node) -> int:
    """`F.glu`: one half of the channels times the sigmoid of the other."""
    (argument,) = node.all_input_nodes
    bound: dict[str, Any] = dict(zip(("input", "dim"), node.args, strict=False)) | dict(node.kwargs)
    index, before = reader.only_state(node), reader.shape(argument)
    axis = reader.units(index).channel_axis
    if (
        bound.get(
            "dim", getattr(reader.traced.layer(node), "dim", -1) if node.op == "call_module" else -1
        )
        % len(before)
        != axis
    ):
        refuse(node, "a gate between positions has no rule; its halves must be of the channels.")
    half = before[axis] // 2
    value = channels(reader, node, index, 2 * half, 0, half)
    gate = channels(reader, node, index, 2 * half, half, half)
    if not reader.units(gate).is_gaussian:
        refuse(
            node, "the gate acts on units that are not Gaussian. Put a layer with weights before."
        )
    sigmoid = nn.Sigmoid()
    opened = activated(reader, gate, duals[sigmoid](sigmoid), "gate")
    assert opened is not None
    return branches.multiplied(reader, node, value, opened)


def _features(reader: Reader, node: fx.Node, parts: list[_Part], axis: int) -> int:
    shape = reader.shape(node)
    indices, weights = [], []
    for part in parts:
        if part.index is None:
            assert part.node is not None
        index = part.index if part.node is None else reader.entered(part.node, axis)
        assert index is not None
        share = part.shape[axis] / shape[axis]
        nested = reader.concats.get(index)
        if nested is None:
            indices.append(index)
            weights.append(share)
        else:
            indices += nested.parts
            weights += [share * w for w in nested.weights]
    whole = _put_together(reader, indices)
    return reader.join(tuple(indices), tuple(weights)) if whole is None else whole


def _put_together(reader: Reader, indices: list[int]) -> int | None:
    """What was cut into these pieces, in this order; None if that is not so."""
    cuts = [reader.cuts.get(k) for k in indices]
    end = 0
    for cut in cuts:
        if cut is None or cuts[0] is None or cut[0] != cuts[0][0] or cut[1] != end:
            return None
        end = cut[2]
    return cuts[0][0] if cuts[0] is not None and end == cuts[0][3] else None


def _positions(reader: Reader, node: fx.Node, parts: list[_Part], beside: int, dim: int) -> int:
    axis = reader.units(beside).channel_axis
    indices = []
    for part in parts:
        if part.node in reader.parameters:
            indices.append(parameters.token(reader, node, part.node, beside, axis))
        elif part.index is None:
            refuse(node, "features are concatenated with units along positions. Embed them first.")
        else:
            indices.append(part.index)
    values = [reader.units(k) for k in indices]
    shared = any(v.shared(w) for i, v in enumerate(values) for w in values[:i])
    if shared or sum(not v.is_centred for v in values) > 1 or any(v.is_flat for v in values):
        refuse(
            node,
            f"units are concatenated along positions (axis {dim}; the channels are at axis {axis}) that "
            "depend on the same weights or have means. Only independent ones have a rule.",
        )
    place = dim - 1 - (0 < axis < dim)
    sizes = [v.positions[place] for v in values]
    positions = list(values[0].positions)
    positions[place] = sum(sizes)
    units = replace(
        values[0],
        positions=tuple(positions),
        is_gaussian=all(v.is_gaussian for v in values),
        is_centred=all(v.is_centred for v in values),
        sources=frozenset().union(*(v.sources for v in values)),
        is_alike=all(v.is_alike for v in values),
    )
    return reader.add(SideBySide("concatenation of positions", tuple(indices), units, place))
