"""Parts of tensors: splits, and shares of the channels."""

from dataclasses import replace

import torch
from torch import Tensor, fx

from ntkit.kernels.infinite.front.calls import shapes
from ntkit.kernels.infinite.front.reader import Concat, Reader, reads
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.positions import Rename
from ntkit.kernels.infinite.program.units import Units

__all__ = ["channels", "piece", "pieces", "split"]


@reads(
    *(torch.chunk, torch.split, torch.tensor_split, torch.unbind),
    *("chunk", "split", "tensor_split", "unbind"),
)
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
