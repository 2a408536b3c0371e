"""Steps of a backward pass through nodes of the graph, for gradients that few positions have."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ntkit._core.torch_internals import metadata, saved, shape_of
from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.rules import VIEWS

__all__ = ["BackwardStep", "Way", "step_through"]


@dataclass(frozen=True)
class Way:
    """From the gradient at the output of a node to that at one of its inputs.

    Attributes:
        slot: Which input.
        field: Where its gradient may differ from zero.
        apply: From values at the output to those at the input; the second argument tells whether it may
            overwrite the first.
        expands: Whether few positions become many: what is found had better not be kept.
    """

    slot: int
    field: Field
    apply: Callable[[Tensor, bool], Tensor]
    expands: bool = False


@dataclass(frozen=True)
class BackwardStep:
    """From the gradient at the output of a node to those at its inputs.

    Attributes:
        ways: To each input that has one.
        weight: `[outputs, inputs]` of a dense layer.
        is_entrywise: Whether each entry is multiplied by a number of its own, or left alone.
        is_new: Whether the values found share no memory with those given.
    """

    ways: tuple[Way, ...]
    weight: Tensor | None = None
    is_entrywise: bool = False
    is_new: bool = False


def step_through(node: Any, field: Field) -> BackwardStep | None:
    """The step through a node whose output has such a gradient; None if there is no rule for it."""
    rule = _RULES.get(node.name())
    return None if rule is None else rule(node, field)


def _below(node: Any, slot: int) -> tuple[int, ...] | None:
    """Shape of an input, None if it has no gradient."""
    node, output = node.next_functions[slot]
    return None if node is None else shape_of(node, output)


def _view(node: Any, field: Field) -> BackwardStep | None:
    """Another shape: places are counted through all entries, and stay."""
    shape = _below(node, 0)
    if shape is None:
        return None

    def apply(g: Tensor, _: bool) -> Tensor:
        return g if field.places is not None else g.reshape(len(g), *shape)

    return BackwardStep((Way(0, Field(shape, field.places), apply),), is_entrywise=True)


def _copy(node: Any, field: Field) -> BackwardStep | None:
    """A copy, or an expansion that changes nothing."""
    if _below(node, 0) != field.shape:
        return None
    return BackwardStep((Way(0, field, _same),), is_entrywise=True)


def _same(g: Tensor, _: bool) -> Tensor:
    return g


def _moved(node: Any, field: Field, of: Callable[[Tensor], Tensor]) -> BackwardStep | None:
    """An operation that picks entries of its input, or orders them anew."""
    shape = _below(node, 0)
    if shape is None:
        return None
    picked = of(torch.empty(shape, device="meta"))
    device = metadata(node)[0].device
    places = torch.arange(picked.numel(), device=device) if field.places is None else field.places
    found, size = torch.full_like(places, int(picked.storage_offset())), 1
    for length, stride in zip(reversed(picked.shape), reversed(picked.stride()), strict=True):
        found += places // size % length * stride
        size *= length
    return BackwardStep((Way(0, Field(shape, found), lambda g, _: g.flatten(1)),))


def _select(node: Any, field: Field) -> BackwardStep | None:
    return _moved(
        node, field, lambda t: t.select(_signed(saved(node, "dim")), _signed(saved(node, "index")))
    )


def _slice(node: Any, field: Field) -> BackwardStep | None:
    ends = slice(_signed(saved(node, "start")), _signed(saved(node, "end")), saved(node, "step"))

    def picked(t: Tensor) -> Tensor:
        where = [slice(None)] * t.ndim
        where[_signed(saved(node, "dim"))] = ends
        return t[tuple(where)]

    return _moved(node, field, picked)


def _transpose(node: Any, field: Field) -> BackwardStep | None:
    one, other = _signed(saved(node, "dim0")), _signed(saved(node, "dim1"))
    return _moved(node, field, lambda t: t.transpose(one, other))


def _permute(node: Any, field: Field) -> BackwardStep | None:
    axes = [_signed(axis) for axis in saved(node, "dims")]
    return _moved(node, field, lambda t: t.permute(axes))


def _signed(number: int) -> int:
    """Negative numbers are kept as if unsigned."""
    return number - 2**64 if number >= 2**63 else number


def _dense(node: Any, field: Field) -> BackwardStep | None:
    """`beta b + alpha a W`."""
    slot = 1 if node.name() == "AddmmBackward0" else 0
    shape, weight = _below(node, slot), saved(node, "mat2")
    if shape is None or weight is None:
        return None
    weight = weight.detach().T
    scale = float(saved(node, "alpha")) if slot else 1.0
    weight = weight if scale == 1 else scale * weight
    below = Field(shape)
    if field.places is not None:
        rows = field.rows(len(weight))
        if rows is None:
            return None
        columns = torch.arange(shape[1], device=rows.device)
        below = Field(shape, (rows[:, None] * shape[1] + columns).flatten())

    def apply(g: Tensor, _: bool) -> Tensor:
        found = g.reshape(-1, len(weight)) @ weight
        return found.view(len(g), -1) if below.places is not None else found.view(len(g), *shape)

    return BackwardStep((Way(slot, below, apply),), weight, is_new=True)


def _entrywise(node: Any, field: Field) -> BackwardStep | None:
    """A function of each entry."""
    if _below(node, 0) != field.shape:
        return None
    slope = _slope(node, field.shape)
    slope = slope if field.places is None else slope.flatten()[field.places]

    def apply(g: Tensor, may_overwrite: bool) -> Tensor:
        return g.mul_(slope) if may_overwrite else g * slope

    return BackwardStep((Way(0, field, apply),), is_entrywise=True, is_new=True)


def _slope(node: Any, shape: tuple[int, ...]) -> Tensor:
    """The derivative, by the node itself: hooks on gradients stay out of it."""
    meta = metadata(node)[0]
    with torch.no_grad():
        return node(torch.ones(shape, dtype=meta.dtype, device=meta.device)).detach()


def _add(node: Any, field: Field) -> BackwardStep | None:
    """The sum of two tensors of the same shape, or of one and what has no gradient."""
    slots = tuple(k for k in (0, 1) if node.next_functions[k][0] is not None)
    if saved(node, "alpha") != 1 or any(_below(node, k) != field.shape for k in slots):
        return None
    return BackwardStep(tuple(Way(k, field, _same) for k in slots))


def _multiply(node: Any, field: Field) -> BackwardStep | None:
    """The product of two tensors, or of one and numbers that are spread over it."""
    ways = []
    for slot, other in enumerate((saved(node, "other"), saved(node, "self"))):
        if _below(node, slot) == field.shape:
            ways.append(Way(slot, field, partial(_times, _at(field, other))))
    return BackwardStep(tuple(ways), is_entrywise=len(ways) == 1, is_new=True) if ways else None


def _divide(node: Any, field: Field) -> BackwardStep | None:
    """By a number, or by what has no gradient."""
    if _below(node, 0) != field.shape or _below(node, 1) is not None:
        return None
    other = _at(field, saved(node, "other"))
    return BackwardStep((Way(0, field, lambda g, _: g / other),), is_entrywise=True, is_new=True)


def _scale(node: Any, field: Field) -> BackwardStep | None:
    """By a number."""
    factor = saved(node, "other")
    if _below(node, 0) != field.shape:
        return None
    return BackwardStep((Way(0, field, lambda g, _: g * factor),), is_entrywise=True, is_new=True)


def _at(field: Field, other: Tensor) -> Tensor:
    """What an operand that may be spread over the output is at the places of a field."""
    other = other.detach()
    if field.places is None or not other.ndim:
        return other
    return other.expand(field.shape).flatten()[field.places]


def _times(factor: Tensor, g: Tensor, _: bool) -> Tensor:
    return g * factor


def _layer_norm(node: Any, field: Field) -> BackwardStep | None:
    """`(x - mean) / deviation * weight + bias` over the last axis."""
    x, weight = saved(node, "input"), saved(node, "weight")
    if tuple(saved(node, "normalized_shape")) != x.shape[-1:] or _below(node, 0) is None:
        return None
    rows = field.rows(x.shape[-1])
    if rows is None and field.places is not None:
        return None
    some = [t.detach().flatten(0, -2) for t in (x, saved(node, "result1"), saved(node, "result2"))]
    x, mean, scale = some if rows is None else [t[rows] for t in some]
    normal = (x - mean) * scale

    def apply(g: Tensor, _: bool) -> Tensor:
        h = g.reshape(len(g), *normal.shape)
        h = h if weight is None else h * weight.detach()
        along = (h * normal).mean(-1, keepdim=True)
        return ((h - h.mean(-1, keepdim=True) - normal * along) * scale).view(g.shape)

    return BackwardStep((Way(0, field, apply),), is_new=True)


def _softmax(node: Any, field: Field) -> BackwardStep | None:
    """Over the last axis."""
    rows, chances = field.rows(field.shape[-1]), saved(node, "result").detach()
    if rows is None or _signed(saved(node, "dim")) not in (-1, chances.ndim - 1):
        return None
    if _below(node, 0) != field.shape:
        return None
    some = chances.flatten(0, -2)[rows]

    def apply(g: Tensor, _: bool) -> Tensor:
        h = g.view(len(g), *some.shape)
        return (some * (h - (h * some).sum(-1, keepdim=True))).view(g.shape)

    return BackwardStep((Way(0, field, apply),), is_new=True)


def _products(node: Any, field: Field) -> BackwardStep | None:
    """`c + a b` of several matrices, in as many rows of each: `a` has few gradients too, `b` has all."""
    is_sum = node.name() == "BaddbmmBackward0"
    a, b = (
        (saved(node, "batch1"), saved(node, "batch2"))
        if is_sum
        else (saved(node, "self"), saved(node, "mat2"))
    )
    slots = (1, 2) if is_sum else (0, 1)
    several, _, width = field.shape
    rows = field.rows(width)
    if rows is None or len(rows) % several:
        return None
    if is_sum and (saved(node, "alpha") != 1 or _below(node, 0) is not None):
        return None
    rows, order = rows.sort()
    of = torch.arange(several, device=rows.device)
    if not torch.equal(rows.view(several, -1) // field.shape[1], of[:, None].expand(several, -1)):
        return None

    def grouped(g: Tensor) -> Tensor:
        return g.view(len(g), -1, width)[:, order].view(len(g), several, -1, width)

    ways = []
    if (shape := _below(node, slots[0])) is not None:
        assert b is not None
        right, columns = b.detach().mT, torch.arange(shape[2], device=rows.device)
        few = Field(shape, (rows[:, None] * shape[2] + columns).flatten())
        ways.append(Way(slots[0], few, lambda g, _: (grouped(g) @ right).flatten(1)))
    if (shape := _below(node, slots[1])) is not None:
        assert a is not None
        left = a.detach().flatten(0, 1)[rows].view(several, -1, a.shape[2]).mT
        ways.append(Way(slots[1], Field(shape), lambda g, _: left @ grouped(g), expands=True))
    return BackwardStep(tuple(ways), is_new=True) if ways else None


_ENTRYWISE = [
    "Celu",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyRelu",
    "LogSigmoid",
    "Mish",
    "Relu",
    "Sigmoid",
    "Silu",
    "Sin",
    "Cos",
    "Softplus",
    "Softshrink",
    "Hardshrink",
    "Tanh",
    "Threshold",
]
"""Act on each entry by itself, without parameters."""

_RULES: dict[str, Callable[[Any, Field], BackwardStep | None]] = {
    **dict.fromkeys(VIEWS, _view),
    **{f"{name}Backward0": _entrywise for name in _ENTRYWISE},
    "AddBackward0": _add,
    "AddmmBackward0": _dense,
    "BaddbmmBackward0": _products,
    "BmmBackward0": _products,
    "CloneBackward0": _copy,
    "DivBackward0": _divide,
    "ExpandBackward0": _copy,
    "MmBackward0": _dense,
    "MulBackward0": _multiply,
    "MulBackward1": _scale,
    "NativeLayerNormBackward0": _layer_norm,
    "PermuteBackward0": _permute,
    "SafeSoftmaxBackward0": _softmax,
    "SelectBackward0": _select,
    "SliceBackward0": _slice,
    "SoftmaxBackward0": _softmax,
    "TransposeBackward0": _transpose,
}
