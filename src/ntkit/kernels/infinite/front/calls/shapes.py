"""Calls that move positions about: reshapes, transposes, pooling, resizing, cropping, fixed matrices."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from math import prod

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.moments.position_maps import PositionMap, probe
from ntkit.kernels.infinite.program.ops.positions import (
    Flattened,
    MapPositions,
    Rename,
    Resize,
    Transpose,
)

__all__ = [
    "broadcast",
    "call_of",
    "flattened",
    "for_all",
    "groups",
    "mapped",
    "of_position",
    "one_unit",
    "positions",
    "probed",
    "reordered",
    "reshape",
    "reshaped",
    "squeezed",
    "transpose",
    "unsqueezed",
]


_FLATTENING: set[Hashable] = {
    *(nn.Flatten, torch.flatten, torch.reshape, "flatten", "reshape", "view"),
}
"""Calls that may mean to make features of positions, where an axis of one channel goes away."""


_ONE_AXIS: set[Hashable] = {torch.squeeze, torch.unsqueeze, "squeeze", "unsqueeze"}
_REORDERING: set[Hashable] = {torch.roll, torch.flip, "roll", "flip"}


@reads(nn.Flatten, nn.Unflatten)
def reshape(reader: Reader, node: fx.Node) -> int:
    """Whatever ends in another shape of the same numbers: flatten, view, squeeze, unsqueeze."""
    index = reader.only_state(node)
    (argument,) = [n for n in node.all_input_nodes if reader.states.get(n) is not None]
    before, after = reader.shape(argument), reader.shape(node)
    if before == after:
        return index
    dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if node.target in _ONE_AXIS and isinstance(dim, int) and not reader.units(index).is_flat:
        taken = node.target in {torch.squeeze, "squeeze"}
        return (squeezed if taken else unsqueezed)(
            reader, index, dim % max(len(before), len(after))
        )
    return reader.per_part(index, lambda part: reshaped(reader, node, part, before, after))


def unsqueezed(reader: Reader, index: int, dim: int) -> int:
    """A new axis `dim`, of one position."""
    value = reader.units(index)
    axis = value.channel_axis
    place = dim - 1 - (0 < axis < dim)
    if axis == 0 and place == len(value.positions):  # one unit gets its axis back
        return reader.add(Rename("unsqueeze", (index,), replace(value, channel_axis=dim)))
    moved = axis + 1 if 0 < dim <= axis else axis
    sizes = (*value.positions[:place], 1, *value.positions[place:])
    return reader.per_part(index, lambda part: _resized(reader, part, moved, sizes))


def squeezed(reader: Reader, index: int, dim: int) -> int:
    """Without the axis `dim`, of one position or one unit."""
    value = reader.units(index)
    axis = value.channel_axis
    if dim == axis:
        return one_unit(reader, index)
    place = dim - 1 - (0 < axis < dim)
    sizes = (*value.positions[:place], *value.positions[place + 1 :])
    moved = axis - (dim < axis)
    return reader.per_part(index, lambda part: _resized(reader, part, moved, sizes))


def _resized(reader: Reader, index: int, axis: int, sizes: tuple[int, ...]) -> int:
    """The same positions in the same order, under other sizes."""
    units = replace(reader.units(index), channel_axis=axis, positions=sizes)
    return reader.add(Resize("reshape", (index,), units))


def flattened(reader: Reader, index: int) -> int:
    """Positions and channels as one axis of features."""
    flat = replace(reader.units(index), channel_axis=1, is_flat=True)
    return reader.add(Flattened("flatten", (index,), flat))


def one_unit(reader: Reader, index: int) -> int:
    """One unit, without the axis that it was taken from."""
    value = replace(reader.units(index), channel_axis=0)
    return reader.add(Rename("one unit", (index,), value))


def for_all(reader: Reader, node: fx.Node, operand: fx.Node) -> int:
    """The step of an operand; marked as a gate where it is one unit that many channels meet, and share."""
    index = reader.states[operand]
    assert index is not None
    value, before, after = reader.units(index), reader.shape(operand), reader.shape(node)
    axis = value.channel_axis
    if not axis or len(before) != len(after) or before[axis] == after[axis]:
        return index
    units = replace(value, gates=value.chance)
    return reader.add(Rename("one unit for all channels", (index,), units))


def reshaped(
    reader: Reader, node: fx.Node, index: int, before: torch.Size, after: torch.Size
) -> int:
    """One state after a reshape."""
    value = reader.units(index)
    axis = value.channel_axis
    means_features = len(after) == 2 and prod(value.positions) > 1 and node.target in _FLATTENING
    drops = axis and before[axis] == 1 and after == (*before[:axis], *before[axis + 1 :])
    if drops and not means_features:
        return one_unit(reader, index)
    if axis and len(after) == 2 and before[0] == after[0] and prod(value.positions) > 1:
        return flattened(reader, index)
    pairs = groups(before, after)
    if pairs is None or before[0] != after[0] or value.is_flat:
        refuse(
            node, f"a reshape from {tuple(before)} to {tuple(after)} mixes positions and channels."
        )
    channel = next(new for old, new in pairs if axis in old)
    kept = [k for k in channel if after[k] != 1] or channel[:1]
    if axis == 0:
        kept = [0]
    elif len(kept) != 1 or after[kept[0]] != before[axis]:
        refuse(
            node,
            f"a reshape from {tuple(before)} to {tuple(after)} splits or merges the channels "
            f"(axis {axis}). Only positions may be rearranged before the read-out.",
        )
    sizes = tuple(s for k, s in enumerate(after) if k not in {0, kept[0]})
    return _resized(reader, index, kept[0], sizes)


@reads(
    *(torch.permute, torch.transpose, torch.swapaxes, torch.movedim),
    *("permute", "transpose", "swapaxes", "movedim"),
)
def transpose(reader: Reader, node: fx.Node) -> int:
    """A permutation of axes, read off its action on a tensor whose sizes are all different."""
    index = reader.only_state(node)
    value = reader.units(index)
    (argument,) = [n for n in node.all_input_nodes if reader.states.get(n) is not None]
    ndim = len(reader.shape(argument))
    marked = call_of(reader, node, argument)(torch.empty([k + 2 for k in range(ndim)]))
    order = [size - 2 for size in marked.shape]
    if order[0] != 0 or value.is_flat:
        refuse(node, "a transpose moves the batch axis or flattened features.")
    axes = [k for k in range(1, ndim) if k != value.channel_axis]
    moved = [axes.index(k) for k in order if k in axes]
    sizes = tuple(value.positions[k] for k in moved)

    new = replace(value, channel_axis=order.index(value.channel_axis), positions=sizes)
    return reader.per_part(
        index, lambda part: reader.add(Transpose("transpose", (part,), new, tuple(moved)))
    )


def positions(reader: Reader, node: fx.Node) -> int:
    """A linear map of positions, the same for every channel; its matrix comes from probing."""
    index = reader.only_state(node)
    (argument,) = [n for n in node.all_input_nodes if reader.states.get(n) is not None]
    call = call_of(reader, node, argument)
    if node.target in _REORDERING and not reader.units(index).positions:
        marked = torch.arange(float(reader.shape(argument).numel())).view(reader.shape(argument))
        if torch.equal(call(marked).sort(1).values, marked):
            return reordered(reader, index)
    return of_position(reader, node, call)


def reordered(reader: Reader, index: int) -> int:
    """The same channels in another order: in sums and products they meet others than before."""
    value = reader.units(index)
    sources = frozenset(replace(source, is_scattered=True) for source in value.sources)
    units = replace(value, sources=sources)
    return reader.add(Rename("channels in another order", (index,), units))


def mapped(reader: Reader, node: fx.Node, call: Callable[[Tensor], Tensor], index: int) -> int:
    """One state after a linear map of positions that is given as a function."""
    value = reader.units(index)
    mixing, axis = probed(reader, node, call, index)
    new = replace(value, channel_axis=axis, positions=mixing.positions)
    name = f"map of positions {value.positions} to {mixing.positions} ({node.name})"
    if mixing.moves_channels:
        index = reordered(reader, index)
        new = replace(new, sources=reader.units(index).sources)
    back = "pairs" if mixing.mixes else "same"
    return reader.add(MapPositions(name, (index,), new, mixing, back=back))


def probed(
    reader: Reader, node: fx.Node, call: Callable[[Tensor], Tensor], index: int
) -> tuple[PositionMap, int]:
    """The matrix of a linear map of a state's positions, and where the channels are afterwards."""
    value = reader.units(index)
    if value.is_flat or not value.positions:
        refuse(node, "it acts on features that have no positions (any more).")
    one = value.channel_axis == 0
    try:
        mixing, axis = probe(
            _with_channels(call) if one else call,
            value.positions,
            len(value.positions) + 1 if one else value.channel_axis,
            what=f"`{node.name}`",
        )
    except (ValueError, RuntimeError, IndexError, TypeError) as error:
        refuse(
            node,
            f"no linear map of positions that treats all channels alike ({error}). "
            "Only those have a limit without weights.",
        )
    return mixing, 0 if one or axis is None else axis


def _with_channels(call: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A map of `[batch, *positions]` on several channels, the last axis."""

    def whole(x: Tensor) -> Tensor:
        alone = call(x.movedim(-1, 1).flatten(0, 1))
        return alone.unflatten(0, (len(x), x.shape[-1])).movedim(1, -1)

    return whole


def broadcast(reader: Reader, node: fx.Node, a: int, b: int) -> tuple[int, int]:
    """Two states with positions of size one repeated to the other's sizes."""
    one, other = reader.units(a), reader.units(b)
    same_place = one.channel_axis == other.channel_axis and not (one.is_flat or other.is_flat)
    if one.positions == other.positions or not same_place:
        return a, b
    if len(one.positions) != len(other.positions):
        return a, b
    sizes = tuple(max(p, q) for p, q in zip(one.positions, other.positions, strict=True))

    def to_sizes(index: int) -> int:
        value = reader.units(index)
        if value.positions == sizes or not all(
            p in {1, q} for p, q in zip(value.positions, sizes, strict=True)
        ):
            return index
        shape = list(sizes)

        def repeated(x: Tensor) -> Tensor:
            full = [x.shape[0], *shape]
            if value.channel_axis:
                full.insert(value.channel_axis, x.shape[value.channel_axis])
            return x.expand(full)

        return reader.per_part(index, lambda part: mapped(reader, node, repeated, part))

    return to_sizes(a), to_sizes(b)


def of_position(reader: Reader, node: fx.Node, call: Callable[[Tensor], Tensor]) -> int:
    """A linear map of positions that is given as a function."""
    return reader.per_part(reader.only_state(node), lambda part: mapped(reader, node, call, part))


def call_of(reader: Reader, node: fx.Node, argument: fx.Node) -> Callable[[Tensor], Tensor]:
    """The call of a node as a function of one of its arguments."""

    def call(x: Tensor) -> Tensor:
        args, kwargs = map_arg(
            (node.args, node.kwargs), lambda n: x if n is argument else reader.constant(n)
        )
        return reader.traced.call(node, args, kwargs)

    return call


def groups(before: torch.Size, after: torch.Size) -> list[tuple[list[int], list[int]]] | None:
    """The axes of a reshape in groups of equal product, as fine as can be; None if impossible."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old, new = [], []
        a = b = 1
        if i < len(before):
            old.append(i)
            a *= before[i]
            i += 1
        if j < len(after):
            new.append(j)
            b *= after[j]
            j += 1
        while a != b:
            if a < b and i < len(before):
                old.append(i)
                a *= before[i]
                i += 1
            elif b < a and j < len(after):
                new.append(j)
                b *= after[j]
                j += 1
            else:
                return None
        # axes of size one that stand alone at the end of either side belong to the last group
        if groups and (not old or not new):
            groups[-1][0].extend(old)
            groups[-1][1].extend(new)
        else:
            groups.append((old, new))
    return groups
