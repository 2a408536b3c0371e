"""Attention written out: heads as reshaped channels, `scaled_dot_product_attention` or by hand."""

import operator
from collections.abc import Hashable
from dataclasses import replace
from math import prod
from numbers import Real
from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ntkit.kernels.infinite.front.calls import attention, linear_maps, pieces, shapes
from ntkit.kernels.infinite.front.head_layouts import Layout, Scores
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.attend import AttendByHand
from ntkit.kernels.infinite.program.ops.positions import Rename
from ntkit.kernels.infinite.program.ops.scale import Times
from ntkit.kernels.infinite.program.table import Table

__all__ = ["fused", "products", "read", "split"]

_LOW = -1e4
"""What is filled in for keys that are not to be seen is at most this: nothing is left of them."""

_SAME: set[Hashable] = {"contiguous", "clone", torch.clone}
_MOVES: set[Hashable] = {
    *(torch.transpose, torch.permute, torch.swapaxes, torch.movedim),
    *("transpose", "permute", "swapaxes", "movedim"),
}
_RESHAPES: set[Hashable] = {
    *(torch.reshape, torch.flatten, "reshape", "view", "flatten"),
}
_PRODUCTS: set[Hashable] = {operator.matmul, torch.matmul, "matmul", "__matmul__"}
_SOFTMAX: set[Hashable] = {torch.softmax, functional.softmax, "softmax"}


def split(reader: Reader, node: fx.Node, index: int, before: torch.Size, after: torch.Size) -> bool:
    """File a reshape that splits the channels of one layer into heads; whether it is one."""
    value = reader.units(index)
    groups = shapes.groups(before, after)
    if groups is None or value.is_flat or not value.is_alike or not value.channel_axis:
        return False
    axes: list[int] = []
    factors: tuple[int, ...] = ()
    for old, new in groups:
        if old == [value.channel_axis]:
            factors = tuple(after[k] for k in new)
            axes += range(-1, -1 - len(new), -1)
        elif len(old) == len(new) == 1:
            axes.append(old[0] - (value.channel_axis < old[0]))
        else:
            return False
    if len(factors) < 2:
        return False
    reader.layouts[node] = Layout(index, tuple(axes), factors)
    return True


@reads(
    *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze),
    *("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten"),
)
def reshape(reader: Reader, node: fx.Node) -> int:
    """Of positions, or of channels into heads."""
    index = reader.only_state(node)
    (argument,) = [n for n in node.all_input_nodes if reader.states.get(n) is not None]
    if split(reader, node, index, reader.shape(argument), reader.shape(node)):
        return index
    return shapes.reshape(reader, node)


@reads(*(operator.matmul, torch.matmul, torch.bmm), *("matmul", "bmm", "__matmul__"))
def matmul(reader: Reader, node: fx.Node) -> int:
    """Of units with a matrix, or of queries with keys."""
    operands = [*node.args, *node.kwargs.values()]
    if all(reader.state(n) is not None for n in operands):
        return products(reader, node)
    return linear_maps.matmul(reader, node)


def read(reader: Reader, node: fx.Node) -> int | None:
    """A call on heads, or on scores."""
    target: Any = node.target
    if node.op == "call_module":
        return _module(reader, node)
    found = [reader.layouts[n] for n in node.all_input_nodes if n in reader.layouts]
    if target is functional.scaled_dot_product_attention:
        return fused(reader, node)
    if target in _PRODUCTS:
        return products(reader, node)
    (first, *_) = found
    if isinstance(first, Scores):
        reader.layouts[node] = _of_scores(reader, node, first)
        return first.query.index
    if target in _SAME:
        reader.layouts[node] = first
        return first.index
    if target in _MOVES or (target is getattr and node.args[1] in {"mT"}):
        return _moved(reader, node, first)
    if target in _RESHAPES:
        return _merged(reader, node, first)
    if target in {"unbind", torch.unbind}:
        reader.layouts[node] = first
        reader.unbound[node] = int(_given(node, 1, "dim", 0)) % len(first.axes)
        return first.index
    if target is operator.getitem:
        return _picked(reader, node, first)
    if target in {operator.mul, torch.mul, "mul", operator.truediv, torch.div, "div"}:
        return _scaled(reader, node, first)
    if target is getattr or not isinstance(reader.sample[node], torch.Size):
        return None
    return _refuse(node)


@reads(functional.scaled_dot_product_attention)
def fused(reader: Reader, node: fx.Node) -> int:
    """`F.scaled_dot_product_attention`, masked by what is the same for all points, or causal."""
    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    if reader.argument(bound.get("dropout_p", 0.0)) > 0:
        refuse(node, "dropout of attention weights has no rule. Call it with `dropout_p=0`.")
    query, key, value = (_layout(reader, node, bound[n]) for n in names[:3])
    if bound.get("enable_gqa") or any(not _is_heads(one) for one in (query, key, value)):
        refuse(
            node,
            "attention takes queries, keys and values `[n, heads, positions, channels]` of one sequence, "
            "with channels that come from one layer each.",
        )
    size = prod(reader.units(query.index).positions)
    mask = None
    if bound.get("is_causal"):
        mask = _from_seen(torch.ones(size, size).tril().bool())
    given = bound.get("attn_mask")
    if given is not None:
        table = _table(reader, node, given)
        mask = _from_seen(table) if table.dtype == torch.bool else table
    scale = reader.argument(bound.get("scale"))
    factor = 1.0 if scale is None else float(scale) * query.factors[-1] ** 0.5
    return _attended(reader, node, Scores(query, key, factor, mask, is_softmax=True), value)


def products(reader: Reader, node: fx.Node) -> int:
    """Queries with keys, or weights with values."""
    operands: list[Any] = [*node.args, *node.kwargs.values()]
    first = reader.layouts.get(operands[0])
    if isinstance(first, Scores):
        value = _layout(reader, node, operands[1])
        if not first.is_softmax or not _is_heads(value):
            refuse(node, "products of queries and keys meet values without a softmax. Use one.")
        return _attended(reader, node, first, value)
    query, key = (_layout(reader, node, operand) for operand in operands)
    turned = replace(key, axes=(*key.axes[:-2], key.axes[-1], key.axes[-2]))
    if not _is_heads(query) or not _is_heads(turned) or query.factors != key.factors:
        _refuse(node)
    # their size does not count: in the limit queries meet keys over the dimension, not its root
    reader.layouts[node] = Scores(query, turned, query.factors[-1] ** 0.5)
    return query.index


def _module(reader: Reader, node: fx.Node) -> int:
    layer: Any = reader.layer(node)
    (argument,) = node.all_input_nodes
    found = reader.layouts[argument]
    passes = isinstance(layer, nn.Identity) or (
        isinstance(layer, nn.Dropout) and not (layer.training and layer.p > 0)
    )
    if isinstance(layer, nn.Softmax) and isinstance(found, Scores):
        found = _softmaxed(node, found, layer.dim)
    elif not passes:
        _refuse(node)
    reader.layouts[node] = found
    return found.query.index if isinstance(found, Scores) else found.index


def _of_scores(reader: Reader, node: fx.Node, scores: Scores) -> Scores:
    """Products of queries and keys after a call."""
    target: Any = node.target
    if target in _SOFTMAX:
        return _softmaxed(node, scores, _given(node, 1, "dim", None))
    if target is functional.dropout and not _given(node, 2, "training", True):
        return scores
    if target in _SAME:
        return scores
    if not scores.is_softmax and target in {"masked_fill", torch.masked_fill}:
        low = reader.argument(_given(node, 2, "value", None))
        if not isinstance(low, int | float) or low > _LOW:
            refuse(node, "scores are filled with a finite number. Fill with `-inf`.")
        hidden = _table(reader, node, _given(node, 1, "mask", None)).bool()
        return _with_mask(scores, _from_seen(~hidden))
    given: tuple[Any, ...] = (*node.args, None, None)
    left, right = given[:2]
    other = right if reader.layouts.get(left) is scores else left
    number = reader.argument(other)
    if not scores.is_softmax and isinstance(number, Real):
        if target in {operator.mul, torch.mul, "mul"}:
            return replace(scores, factor=scores.factor * float(number))
        if target in {operator.truediv, torch.div, "div"} and other is right:
            return replace(scores, factor=scores.factor / float(number))
    if not scores.is_softmax and target in {operator.add, torch.add, "add"}:
        return _with_mask(scores, _table(reader, node, other))
    return _refuse(node)


def _softmaxed(node: fx.Node, scores: Scores, dim: Any) -> Scores:
    if scores.is_softmax or dim not in {-1, len(scores.query.axes) - 1}:
        refuse(node, "the softmax of attention runs over the keys, the last axis, once.")
    return replace(scores, is_softmax=True)


def _with_mask(scores: Scores, mask: Tensor) -> Scores:
    return replace(scores, mask=mask if scores.mask is None else scores.mask + mask)


def _table(reader: Reader, node: fx.Node, given: Any) -> Tensor:
    """A mask that is the same for all points and heads, `[positions, positions]`."""
    try:
        table = reader.constant(given)
    except ValueError as error:
        refuse(
            node,
            f"{error}: a mask of scores must be the same for all points. "
            "`ntkit.networks.SelfAttention` takes one of keys, `key_padding_mask`.",
        )
    if table.ndim < 2 or prod(table.shape[:-2]) != 1:
        refuse(node, "a mask of scores must be the same for all heads, `[positions, positions]`.")
    return table.reshape(table.shape[-2:])


def _from_seen(seen: Tensor) -> Tensor:
    return torch.zeros(seen.shape, dtype=torch.float64).masked_fill(~seen, -torch.inf)


def _attended(reader: Reader, node: fx.Node, scores: Scores, values: Layout) -> int:
    """The values by each point's own weights, with queries and keys as if they had the same weights."""
    attention.warn_of_scores()
    indices = scores.query.index, scores.key.index, values.index
    query, key, value = (reader.units(k) for k in indices)
    if not (query.positions == key.positions == value.positions):
        refuse(node, "only self-attention has a rule: queries, keys and values of one sequence.")
    if not all(v.is_centred and v.is_gaussian for v in (query, key, value)):
        refuse(node, "queries, keys and values must each come out of a layer with weights.")
    sources = query.sources | key.sources | value.sources
    name, units = f"attention ({node.name})", replace(value, sources=sources)
    added = None if scores.mask is None else Table(scores.mask)
    new = reader.add(AttendByHand(name, indices, units, scores.factor, added))
    if len(values.factors) > 1:
        reader.layouts[node] = replace(values, index=new)
    return new


def _layout(reader: Reader, node: fx.Node, operand: Any) -> Layout:
    """That of an operand; of one that was not split, its channels are one head."""
    known = reader.layouts.get(operand)
    if isinstance(known, Layout):
        return known
    index = reader.state(operand)
    if index is None or known is not None or reader.units(index).is_flat:
        _refuse(node)
    axis, shape = reader.units(index).channel_axis, reader.shape(operand)
    axes = (k - (axis < k) for k in range(len(shape)))
    return Layout(index, tuple(-1 if k == axis else a for k, a in enumerate(axes)), (shape[axis],))


def _is_heads(layout: Layout) -> bool:
    """Whether it is `[n, heads, positions, channels]` (or without the heads)."""
    heads = tuple(range(-1, -len(layout.factors), -1))
    return layout.axes == (0, *heads, 1, -len(layout.factors))


def _moved(reader: Reader, node: fx.Node, layout: Layout) -> int:
    """Axes in another order, read off the call's action on a tensor whose sizes are all different."""
    call = shapes.call_of(reader, node, node.all_input_nodes[0])
    marked = call(torch.empty([k + 2 for k in range(len(layout.axes))]))
    axes = tuple(layout.axes[size - 2] for size in marked.shape)
    reader.layouts[node] = replace(layout, axes=axes)
    return layout.index


def _merged(reader: Reader, node: fx.Node, layout: Layout) -> int:
    """The factors of the channels put together again."""
    before, after = reader.shape(node.all_input_nodes[0]), reader.shape(node)
    heads = [k for k, axis in enumerate(layout.axes) if axis < 0]
    first, count = heads[0], len(layout.factors)
    positions = [axis for axis in layout.axes if axis > 0]
    in_order = [layout.axes[k] for k in heads] == list(range(-1, -1 - count, -1))
    whole = prod(before[k] for k in heads)
    expected = (*before[:first], whole, *before[first + count :])
    if after != expected or not in_order or positions != sorted(positions) or layout.axes[0] != 0:
        _refuse(node)
    value = replace(reader.units(layout.index), channel_axis=first)
    return reader.add(Rename("heads together", (layout.index,), value))


def _picked(reader: Reader, node: fx.Node, layout: Layout) -> int:
    """One entry along the outermost factor of the channels: queries, keys or values."""
    argument, where = node.args
    assert isinstance(argument, fx.Node)
    place = reader.unbound.get(argument)
    if place is None:
        where = where if isinstance(where, tuple) else (where,)
        places = [k for k, w in enumerate(where) if isinstance(w, int)]
        if len(places) != 1 or any(w != slice(None) for w in where if not isinstance(w, int)):
            _refuse(node)
        (place,) = places
        where = where[place]
    if layout.axes[place] != -1 or not isinstance(where, int):
        _refuse(node)
    number, total = layout.factors[0], prod(layout.factors)
    share = total // number
    index = pieces.channels(reader, node, layout.index, total, where % number * share, share)
    rest = [axis + (axis < 0) for k, axis in enumerate(layout.axes) if k != place]
    found = Layout(index, tuple(rest), layout.factors[1:])
    reader.layouts[node] = found
    return index


def _scaled(reader: Reader, node: fx.Node, layout: Layout) -> int:
    """Times a number: queries, most often."""
    left, right = node.args[:2]
    is_left = left in reader.layouts
    number = reader.argument(right if is_left else left)
    divides = node.target in {operator.truediv, torch.div, "div"}
    if not isinstance(number, Real) or (divides and not is_left):
        _refuse(node)
    factor = 1 / float(number) if divides else float(number)
    name, units = f"times {factor:g}", reader.units(layout.index)
    index = reader.add(Times(name, (layout.index,), units, factor**2))
    reader.layouts[node] = replace(layout, index=index)
    return index


def _given(node: fx.Node, place: int, name: str, default: Any) -> Any:
    """An argument of a call."""
    return node.args[place] if len(node.args) > place else node.kwargs.get(name, default)


def _refuse(node: fx.Node) -> NoReturn:
    refuse(
        node,
        "channels that were split into heads, or a product of units with units: there is a rule for "
        "self-attention alone, queries, keys and values `[n, heads, positions, channels]`, products of "
        "queries and keys, a mask, softmax, values, and the heads put together again. Use "
        "`ntkit.networks.SelfAttention` or `nn.MultiheadAttention`.",
    )
