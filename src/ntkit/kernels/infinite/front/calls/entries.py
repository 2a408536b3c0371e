"""Entries by index: of positions, of channels, one unit alone."""

import operator
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, fx

from ntkit.kernels.infinite.front.calls import pieces, shapes
from ntkit.kernels.infinite.front.reader import Reader, is_size, reads
from ntkit.kernels.infinite.front.trace import refuse

__all__ = ["taken"]


@reads(operator.getitem)
def taken(reader: Reader, node: fx.Node) -> int:
    """`h[...]`: first what it does to positions, then to channels."""
    argument: Any = node.args[0]
    if argument in reader.pieces:
        return pieces.piece(reader, node)
    index = reader.only_state(node)
    if not isinstance(reader.sample[argument], torch.Size):
        return index  # an entry of a layer's tuple of results
    before, after = reader.shape(argument), reader.shape(node)
    value = reader.units(index)
    if value.is_flat:
        if before.numel() != after.numel():
            refuse(node, "it takes some of the features that positions were flattened into.")
        return shapes.reshape(reader, node)
    where = _entries(reader, node, len(before))
    first = next(w for w in where if w is not None)
    if not _is_all(first, before[0]):
        refuse(node, "it takes some of the points (axis 0). A kernel is of all of them.")
    place = _place_of(where, value.channel_axis) if value.channel_axis else None
    of_channels = slice(None) if place is None else where[place]
    rest = [slice(None) if k == place else w for k, w in enumerate(where)]
    index = _of_positions(reader, node, index, before, tuple(rest))
    if place is None:
        return index
    return _of_channels(reader, node, index, before[value.channel_axis], of_channels)


def _of_positions(
    reader: Reader, node: fx.Node, index: int, before: torch.Size, where: tuple[Any, ...]
) -> int:
    sizes = iter(before)
    if all(w is None or _is_all(w, next(sizes)) for w in where):
        for place, w in enumerate(where):
            index = shapes.unsqueezed(reader, index, place) if w is None else index
        return index
    return shapes.of_position(reader, node, lambda x: x[where])


def _of_channels(reader: Reader, node: fx.Node, index: int, total: int, chosen: Any) -> int:
    if isinstance(chosen, int):
        one = pieces.channels(reader, node, index, total, chosen % total, 1)
        return shapes.one_unit(reader, one)
    if isinstance(chosen, slice):
        start, stop, step = chosen.indices(total)
        if step == 1:
            return pieces.channels(reader, node, index, total, start, stop - start)
        chosen = torch.arange(start, stop, step)
    chosen = torch.as_tensor(chosen)
    if chosen.dtype == torch.bool:
        chosen = chosen.nonzero()[:, 0]
    value = reader.units(index)
    if chosen.ndim != 1 or len(chosen.unique()) < len(chosen) or not value.is_alike:
        refuse(
            node,
            "channels are taken by an index that names some of them twice, is no vector, or chooses "
            "among channels that differ. Take each once, from the result of one layer.",
        )
    if not value.sources:
        refuse(node, "channels are taken from features. Take them before they meet a layer.")
    return shapes.reordered(reader, index)


def _entries(reader: Reader, node: fx.Node, ndim: int) -> list[Any]:
    """The index, an entry for each axis (and None for new ones), with plain values and tensors."""
    given: Any = node.args[1]
    where = [_plain(reader, node, w) for w in (given if isinstance(given, tuple) else (given,))]
    used = sum(_axes(w) for w in where if w is not Ellipsis)
    gap = [slice(None)] * (ndim - used)
    for k, w in enumerate(where):
        if w is Ellipsis:
            return [*where[:k], *gap, *where[k + 1 :]]
    return [*where, *gap]


def _plain(reader: Reader, node: fx.Node, entry: Any) -> Any:
    if not isinstance(entry, fx.Node):
        return reader.argument(entry)
    if not isinstance(reader.sample[entry], torch.Size) or is_size(entry):
        return reader.sample[entry]
    try:
        return reader.constant(entry)
    except ValueError as error:
        refuse(
            node, f"{error}: an index must be the same for all points. Use weights of positions."
        )


def _axes(entry: Any) -> int:
    """How many axes an entry is for."""
    if entry is None:
        return 0
    return entry.ndim if isinstance(entry, Tensor) and entry.dtype == torch.bool else 1


def _place_of(where: list[Any], axis: int) -> int:
    """The entry that is for an axis."""
    ends = accumulate(map(_axes, where))
    return next(k for k, end in enumerate(ends) if end > axis)


def _is_all(entry: Any, size: int) -> bool:
    return isinstance(entry, slice) and entry.indices(size) == (0, size, 1)
