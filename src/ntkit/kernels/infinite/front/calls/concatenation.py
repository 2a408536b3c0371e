"""Concatenation of features and of positions, and splitting features again."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.activations import duals
from ntkit.kernels.infinite.front.calls import arithmetic, parameters, shapes
from ntkit.kernels.infinite.front.calls.pointwise import activated
from ntkit.kernels.infinite.front.reader import Concat, Reader
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.branches import SideBySide
from ntkit.kernels.infinite.program.ops.positions import Rename
from ntkit.kernels.infinite.program.units import Units

__all__ = ["channels", "concatenate", "gated", "piece", "pieces", "split", "stack"]


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


def split(reader: Reader, node: fx.Node) -> int:
    """Remember that this is no tensor yet: its pieces are."""
    reader.pieces.add(node)
    return reader.only_state(node)


def piece(reader: Reader, node: fx.Node) -> int:
    """One of the pieces of a split: channels, or positions."""
    argument, number = node.args
    assert isinstance(argument, fx.Node)
    if not isinstance(number, int):
        refuse(node, "several pieces of a split are taken at once. Take them one by one.")
    return _piece(reader, node, argument, number)


def pieces(reader: Reader, node: fx.Node, given: fx.Node) -> list[int]:
    """All pieces of a split."""
    return [_piece(reader, node, given, k) for k in range(len(reader.sample[given]))]


def _piece(reader: Reader, node: fx.Node, argument: fx.Node, number: int) -> int:
    (source,) = [n for n in argument.all_input_nodes if reader.states.get(n) is not None]
    index = reader.states[source]
    assert index is not None
    axis, before = reader.units(index).channel_axis, reader.shape(source)
    pieces = reader.sample[argument]
    number = number % len(pieces)
    if axis and len(pieces[0]) == len(before) and pieces[number][axis] != before[axis]:
        start = sum(p[axis] for p in pieces[:number])
        return channels(reader, node, index, before[axis], start, pieces[number][axis])

    def call(x: Tensor) -> Tensor:
        args = [x if a is source else reader.argument(a) for a in argument.args]
        kwargs = {k: x if a is source else reader.argument(a) for k, a in argument.kwargs.items()}
        return reader.traced.call(argument, args, kwargs)[number]

    return reader.per_part(index, lambda part: shapes.mapped(reader, node, call, part))


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
    return arithmetic.multiplied(reader, node, value, opened)


def channels(reader: Reader, node: fx.Node, index: int, total: int, start: int, count: int) -> int:
    """A share of the channels: as good as another layer's, for its weights are its own."""
    value = reader.units(index)
    if count == total:
        return index
    if index in reader.concats and not value.is_flat and _is_ordered(value):
        return _of_parts(reader, node, reader.concats[index], total, start, count)
    if value.is_flat or not value.is_alike:
        refuse(
            node,
            "channels are taken from flattened units, or from a concatenation and what was made of it, "
            "whose channels differ. Take them before that.",
        )
    if not value.sources:
        refuse(node, "channels are taken from features. Take them before they meet a layer.")
    share = start / total, (start + count) / total
    sources = frozenset(source.part(*share) for source in value.sources)
    name = f"channels {start} to {start + count}"
    new = reader.add(Rename(name, (index,), replace(value, sources=sources)))
    reader.cuts[new] = (index, start, start + count, total)
    return new


def _is_ordered(value: Units) -> bool:
    return not any(source.is_scattered for source in value.sources)


def _of_parts(
    reader: Reader, node: fx.Node, concat: Concat, total: int, start: int, count: int
) -> int:
    """A share of the channels of a concatenation: what it takes of each part."""
    found, weights, begin = [], [], 0
    for part, weight in zip(concat.parts, concat.weights, strict=True):
        size = round(weight * total)
        first, last = max(start, begin), min(start + count, begin + size)
        if first < last:
            found.append(channels(reader, node, part, size, first - begin, last - first))
            weights.append((last - first) / count)
        begin += size
    return found[0] if len(found) == 1 else reader.join(tuple(found), tuple(weights))


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
