"""Concatenation of features and of positions, and splitting features again."""

from dataclasses import replace
from math import nan
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.activations import duals
from ntkit.kernels.infinite.calls import arithmetic, parameters, shapes
from ntkit.kernels.infinite.calls.pointwise import activated
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step, Value
from ntkit.kernels.infinite.trace import refuse

__all__ = ["concatenate", "gated", "piece", "split", "stack", "taken"]


def concatenate(reader: Reader, node: fx.Node) -> int:
    """Of features: weights mix them in proportion to their numbers. Of positions, if independent."""
    parts: Any = node.args[0] if node.args else node.kwargs["tensors"]
    dim: Any = node.kwargs.get(
        "dim", node.kwargs.get("axis", node.args[1] if len(node.args) > 1 else 0)
    )
    known = [k for part in parts if (k := reader.state(part)) is not None]
    axis = reader.value(known[0]).channel_axis
    shape = reader.shape(node)
    if any(reader.value(k).channel_axis != axis for k in known):
        refuse(node, "units are concatenated whose channels are at different axes.")
    if dim % len(shape) == 0:
        refuse(node, "a concatenation of points (axis 0) has no rule.")
    if dim % len(shape) != axis:
        return _positions(reader, node, parts, known[0], dim % len(shape))
    return _features(reader, node, parts, axis)


def stack(reader: Reader, node: fx.Node) -> int:
    """A concatenation along a new axis of positions."""
    refuse(
        node,
        "a stack has no rule. Give each part its axis (`x.unsqueeze(1)`), then `torch.cat(parts, 1)`.",
    )


def split(reader: Reader, node: fx.Node) -> int:
    """Remember that this is no tensor yet: its pieces are."""
    reader.pieces.add(node)
    return reader.only_state(node)


def piece(reader: Reader, node: fx.Node) -> int:
    """One of the pieces of a split: channels, or positions."""
    argument, number = node.args
    assert isinstance(argument, fx.Node) and isinstance(number, int)
    (source,) = [n for n in argument.all_input_nodes if reader.states.get(n) is not None]
    index = reader.states[source]
    assert index is not None
    axis, before = reader.value(index).channel_axis, reader.shape(source)
    pieces = reader.sample[argument]
    number = number % len(pieces)
    if len(pieces[0]) == len(before) and pieces[number][axis] != before[axis]:
        start = sum(p[axis] for p in pieces[:number])
        return _channels(reader, node, index, before[axis], start, pieces[number][axis])

    def call(x: Tensor) -> Tensor:
        args = [x if a is source else reader.argument(a) for a in argument.args]
        kwargs = {k: x if a is source else reader.argument(a) for k, a in argument.kwargs.items()}
        return reader.traced.call(argument, args, kwargs)[number]

    return shapes.of_position(reader, node, call)


def taken(reader: Reader, node: fx.Node) -> int:
    """Entries by index: a slice of channels, new axes, or positions."""
    argument: Any = node.args[0]
    if argument in reader.pieces:
        return piece(reader, node)
    index = reader.only_state(node)
    if not isinstance(reader.sample[argument], torch.Size):
        return index  # an entry of a layer's tuple of results
    before, after = reader.shape(argument), reader.shape(node)
    if before.numel() == after.numel():
        return shapes.reshape(reader, node)
    where = reader.argument(node.args[1])
    where = list(where) if isinstance(where, tuple) else [where]
    if Ellipsis in where:
        k = where.index(Ellipsis)
        missing = len(before) - (len(where) - 1 - where.count(None))
        where[k : k + 1] = [slice(None)] * missing
    axis = reader.value(index).channel_axis
    plain = all(isinstance(w, slice) for w in where) and len(where) > axis
    others = [w for k, w in enumerate(where) if k != axis]
    if plain and all(w == slice(None) for w in others):
        start, stop, step = where[axis].indices(before[axis])
        if step == 1 and not reader.value(index).is_flat:
            return _channels(reader, node, index, before[axis], start, stop - start)
    return shapes.positions(reader, node)


def gated(reader: Reader, node: fx.Node) -> int:
    """`F.glu`: one half of the channels times the sigmoid of the other."""
    (argument,) = node.all_input_nodes
    bound: dict[str, Any] = dict(zip(("input", "dim"), node.args, strict=False)) | dict(node.kwargs)
    index, before = reader.only_state(node), reader.shape(argument)
    axis = reader.value(index).channel_axis
    if (
        bound.get(
            "dim", getattr(reader.traced.layer(node), "dim", -1) if node.op == "call_module" else -1
        )
        % len(before)
        != axis
    ):
        refuse(node, "a gate between positions has no rule; its halves must be of the channels.")
    half = before[axis] // 2
    value = _channels(reader, node, index, 2 * half, 0, half)
    gate = _channels(reader, node, index, 2 * half, half, half)
    if not reader.value(gate).is_gaussian:
        refuse(
            node, "the gate acts on units that are not Gaussian. Put a layer with weights before."
        )
    sigmoid = nn.Sigmoid()
    opened = activated(reader, gate, duals[sigmoid](sigmoid), "gate")
    return arithmetic.multiplied(reader, node, value, opened)


def _channels(reader: Reader, node: fx.Node, index: int, total: int, start: int, count: int) -> int:
    """A share of the channels: as good as another layer's, for its weights are its own."""
    value = reader.value(index)
    if value.is_flat or index in reader.concats:
        refuse(
            node,
            "channels are taken from a concatenation or from flattened units. "
            "Take them before that.",
        )
    if not value.sources:
        refuse(node, "channels are taken from features. Take them before they meet a layer.")
    sources = frozenset(
        Source(
            s.place,
            s.start + (s.stop - s.start) * start / total,
            s.start + (s.stop - s.start) * (start + count) / total,
        )
        for s in value.sources
    )
    name = f"channels {start} to {start + count}"
    return reader.apply(name, index, lambda state: state, replace(value, sources=sources))


def _features(reader: Reader, node: fx.Node, parts: Any, axis: int) -> int:
    shape = reader.shape(node)
    indices, weights = [], []
    for part in parts:
        index = reader.entered(part, axis)
        share = reader.shape(part)[axis] / shape[axis]
        nested = reader.concats.get(index)
        if nested is None:
            indices.append(index)
            weights.append(share)
        else:
            indices += nested.parts
            weights += [share * w for w in nested.weights]
    values = [reader.value(k) for k in indices]
    value = Value(
        axis,
        values[0].positions,
        values[0].is_flat,
        False,
        all(v.is_centred for v in values),
        frozenset().union(*(v.sources for v in values)),
    )
    return reader.join(tuple(indices), tuple(weights), value)


def _positions(reader: Reader, node: fx.Node, parts: Any, beside: int, dim: int) -> int:
    axis = reader.value(beside).channel_axis
    indices = []
    for part in parts:
        if part in reader.parameters:
            indices.append(parameters.token(reader, node, part, beside, axis))
        elif reader.state(part) is None:
            refuse(node, "features are concatenated with units along positions. Embed them first.")
        else:
            indices.append(reader.state(part))
    values = [reader.value(k) for k in indices]
    shared = any(v.shared(w) for i, v in enumerate(values) for w in values[:i])
    if shared or sum(not v.is_centred for v in values) > 1 or any(v.is_flat for v in values):
        refuse(
            node,
            f"units are concatenated along positions (axis {dim}; the channels are at axis {axis}) that "
            "hang on the same weights or have means. Only independent ones have a rule.",
        )
    place = dim - 1 - (dim > axis)
    sizes = [v.positions[place] for v in values]
    positions = list(values[0].positions)
    positions[place] = sum(sizes)
    count = len(positions)

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return _side_by_side(states, place, count, tuple(positions))

    value = replace(
        values[0],
        positions=tuple(positions),
        is_gaussian=all(v.is_gaussian for v in values),
        is_centred=all(v.is_centred for v in values),
        sources=frozenset().union(*(v.sources for v in values)),
    )
    return reader.add(Step("concatenation of positions", tuple(indices), run, value))


def _side_by_side(
    states: tuple[PairState, ...], place: int, count: int, positions: tuple[int, ...]
) -> PairState:
    """Independent units at positions of their own: blocks on the diagonal of the tables of pairs."""
    pairs = states[0].layout == "pairs"
    covs = [state.cov for state in states]
    covs = [
        c.expand(*_lead(covs, 2 * count if pairs else count), *_tail(c, pairs, count)) for c in covs
    ]
    first = covs[0].ndim - (2 * count if pairs else count) + place

    def joined(tables: list[Tensor]) -> Tensor:
        if not pairs:
            return torch.cat(tables, first)
        shape = list(tables[0].shape)
        shape[first] = shape[first + count] = positions[place]
        whole, start = tables[0].new_zeros(shape), 0
        for table in tables:
            size = table.shape[first]
            whole.narrow(first, start, size).narrow(first + count, start, size).copy_(table)
            start += size
        return whole

    def alone(name: str, shift: int) -> Tensor | None:
        tables = [getattr(state, name) for state in states]
        if any(table is None for table in tables):
            return None
        lengths = [max(t.shape[k] for t in tables) for k in range(2)]
        at = tables[0].ndim - shift + place
        return torch.cat([t.expand(*lengths, *t.shape[2:]) for t in tables], at)

    ntks = [state.ntk for state in states]
    ntk = None
    if all(table is not None for table in ntks):
        ntk = joined([t.expand_as(c) for t, c in zip(ntks, covs, strict=True)])  # type: ignore
    return PairState(
        joined(covs),
        ntk,
        alone("var1", 2 * count if pairs else count),
        alone("var2", count),
        positions=positions,
        layout=states[0].layout,
        scales=nan if any(state.scales != 0 for state in states) else 0.0,
    )


def _lead(tables: list[Tensor], tail: int) -> list[int]:
    return [max(t.shape[k] for t in tables) for k in range(tables[0].ndim - tail)]


def _tail(table: Tensor, pairs: bool, count: int) -> torch.Size:
    return table.shape[table.ndim - (2 * count if pairs else count) :]
