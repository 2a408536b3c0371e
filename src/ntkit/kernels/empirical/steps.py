"""Steps of a backward pass through nodes of the graph, for gradients that few positions have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.rules import VIEWS

__all__ = ["Step", "step_through"]


@dataclass(frozen=True)
class Step:
    """From the gradient at the output of a node to those at its inputs.

    Attributes:
        slots: Which inputs.
        fields: Where they may differ from zero.
        apply: From values at the output to those at each input; the second argument tells whether it
            may overwrite the first.
        weight: `[outputs, inputs]` of a dense layer.
        is_entrywise: Whether each entry is multiplied by a number of its own, or left alone.
        is_new: Whether the values found share no memory with those given.
        expands: Whether few positions become many: what is found had better not be kept.
    """

    slots: tuple[int, ...]
    fields: tuple[Field, ...]
    apply: Callable[[Tensor, bool], list[Tensor]]
    weight: Tensor | None = None
    is_entrywise: bool = False
    is_new: bool = False
    expands: bool = False


def step_through(node: Any, field: Field) -> Step | None:
    """The step through a node whose output has such a gradient; None if there is no rule for it."""
    rule = _RULES.get(node.name())
    return None if rule is None else rule(node, field)


def _below(node: Any, slot: int) -> tuple[int, ...] | None:
    """Shape of an input, None if it has no gradient."""
    node, output = node.next_functions[slot]
    return None if node is None else tuple(node._input_metadata[output].shape)


def _view(node: Any, field: Field) -> Step | None:
    shape = _below(node, 0)
    if shape is None:
        return None

    def apply(g: Tensor, _: bool) -> list[Tensor]:
        return [g if field.places is not None else g.reshape(len(g), *shape)]

    return Step((0,), (Field(shape, field.places),), apply, is_entrywise=True)


def _copy(node: Any, field: Field) -> Step | None:
    return Step((0,), (field,), lambda g, _: [g], is_entrywise=True)


def _moved(node: Any, field: Field, of: Callable[[Tensor], Tensor]) -> Step | None:
    """An operation that picks entries of its input, or orders them anew."""
    shape = _below(node, 0)
    if shape is None:
        return None
    picked = of(torch.empty(shape, device="meta"))
    device = node._input_metadata[0].device
    places = torch.arange(picked.numel(), device=device) if field.places is None else field.places
    found, size = torch.full_like(places, int(picked.storage_offset())), 1
    for length, stride in zip(reversed(picked.shape), reversed(picked.stride()), strict=True):
        found += places // size % length * stride
        size *= length
    return Step((0,), (Field(shape, found),), lambda g, _: [g.flatten(1)])


def _select(node: Any, field: Field) -> Step | None:
    return _moved(
        node, field, lambda t: t.select(_signed(node._saved_dim), _signed(node._saved_index))
    )


def _slice(node: Any, field: Field) -> Step | None:
    ends = slice(_signed(node._saved_start), _signed(node._saved_end), node._saved_step)

    def picked(t: Tensor) -> Tensor:
        where = [slice(None)] * t.ndim
        where[_signed(node._saved_dim)] = ends
        return t[tuple(where)]

    return _moved(node, field, picked)


def _transpose(node: Any, field: Field) -> Step | None:
    one, other = _signed(node._saved_dim0), _signed(node._saved_dim1)
    return _moved(node, field, lambda t: t.transpose(one, other))


def _permute(node: Any, field: Field) -> Step | None:
    axes = [_signed(axis) for axis in node._saved_dims]
    return _moved(node, field, lambda t: t.permute(axes))


def _signed(number: int) -> int:
    """Negative numbers are kept as if unsigned."""
    return number - 2**64 if number >= 2**63 else number


def _dense(node: Any, field: Field) -> Step | None:
    """`beta b + alpha a W`."""
    slot = 1 if node.name() == "AddmmBackward0" else 0
    shape, weight = _below(node, slot), node._saved_mat2
    if shape is None or weight is None:
        return None
    weight = weight.detach().T
    scale = float(node._saved_alpha) if slot else 1.0
    weight = weight if scale == 1 else scale * weight
    below = Field(shape)
    if field.places is not None:
        rows = field.rows(len(weight))
        if rows is None:
            return None
        columns = torch.arange(shape[1], device=rows.device)
        below = Field(shape, (rows[:, None] * shape[1] + columns).flatten())

    def apply(g: Tensor, _: bool) -> list[Tensor]:
        found = g.reshape(-1, len(weight)) @ weight
        return [found.view(len(g), -1) if below.places is not None else found.view(len(g), *shape)]

    return Step((slot,), (below,), apply, weight, is_new=True)


def _entrywise(node: Any, field: Field) -> Step | None:
    if _below(node, 0) != field.shape:
        return None
    slope = _slope(node, field.shape)
    slope = slope if field.places is None else slope.flatten()[field.places]

    def apply(g: Tensor, may_overwrite: bool) -> list[Tensor]:
        return [g.mul_(slope) if may_overwrite else g * slope]

    return Step((0,), (field,), apply, is_entrywise=True, is_new=True)


def _slope(node: Any, shape: tuple[int, ...]) -> Tensor:
    meta = node._input_metadata[0]
    with torch.no_grad():
        return node(torch.ones(shape, dtype=meta.dtype, device=meta.device)).detach()


def _add(node: Any, field: Field) -> Step | None:
    slots = tuple(k for k in (0, 1) if node.next_functions[k][0] is not None)
    if node._saved_alpha != 1 or any(_below(node, k) != field.shape for k in slots):
        return None
    return Step(slots, (field,) * len(slots), lambda g, _: [g] * len(slots))


def _multiply(node: Any, field: Field) -> Step | None:
    """The product of two tensors, or of one and numbers that are spread over it."""
    slots = tuple(k for k in (0, 1) if _below(node, k) == field.shape)
    factors = [(node._saved_other, node._saved_self)[k].detach() for k in slots]
    if field.places is not None:
        factors = [
            f if f.ndim == 0 else f.expand(field.shape).flatten()[field.places] for f in factors
        ]
    if not slots or any(f.is_complex() for f in factors):
        return None
    fields, is_entrywise = (field,) * len(slots), len(slots) == 1
    return Step(
        slots, fields, lambda g, _: [g * f for f in factors], None, is_entrywise, is_new=True
    )


def _layer_norm(node: Any, field: Field) -> Step | None:
    """`(x - mean) / deviation * weight + bias` over the last axis."""
    x, weight = node._saved_input, node._saved_weight
    if tuple(node._saved_normalized_shape) != x.shape[-1:] or _below(node, 0) is None:
        return None
    rows = field.rows(x.shape[-1])
    if rows is None and field.places is not None:
        return None
    some = [t.detach().flatten(0, -2) for t in (x, node._saved_result1, node._saved_result2)]
    x, mean, scale = some if rows is None else [t[rows] for t in some]
    normal = (x - mean) * scale

    def apply(g: Tensor, _: bool) -> list[Tensor]:
        h = g.reshape(len(g), *normal.shape)
        h = h if weight is None else h * weight.detach()
        along = (h * normal).mean(-1, keepdim=True)
        return [((h - h.mean(-1, keepdim=True) - normal * along) * scale).view(g.shape)]

    return Step((0,), (field,), apply, is_new=True)


def _attention(node: Any, field: Field) -> Step | None:
    """`softmax(scale q k^T + mask) v`, for gradients of a few queries: of the heads of each sample alike."""
    q, k, v = (node._saved_query.detach(), node._saved_key.detach(), node._saved_value.detach())
    places, (n, h, t, d) = field.places, field.shape
    if places is None or len(places) % (n * h * d) or float(node._saved_dropout_p):
        return None
    if q.dtype not in (torch.float32, torch.float64) or len(node.next_functions) < 3:
        return None
    ordered, order = places.sort()
    tokens = (ordered // d % t).view(n, h, -1, d)
    queries = tokens[0, 0, :, 0]
    if not torch.equal(tokens, queries[None, None, :, None].expand_as(tokens)):
        return None
    scale = node._saved_scale
    scale = d**-0.5 if scale is None else float(scale)
    q, out = q[:, :, queries], node._saved_output.detach()[:, :, queries]
    scores = scale * (q @ k.mT)
    if node._saved_attn_mask is not None:
        mask = node._saved_attn_mask.detach().expand(n, h, t, k.shape[2])
        scores = scores + mask[:, :, queries]
    if node._saved_is_causal:
        later = torch.arange(k.shape[2], device=q.device) > queries[:, None]
        scores = scores.masked_fill(later, -torch.inf)
    chances = scores.softmax(-1)  # [n, h, queries, keys]
    slots = tuple(s for s in range(3) if node.next_functions[s][0] is not None)
    shapes = tuple(Field(tuple(tensor.shape)) for tensor in (node._saved_query, k, v))

    def apply(g: Tensor, _: bool) -> list[Tensor]:
        g = g[:, order].view(len(g), n, h, -1, d)
        slope = torch.einsum("onhqd,nhkd->onhqk", g, v) - (g * out).sum(-1, keepdim=True)
        slope = slope * (scale * chances)
        at_queries = g.new_zeros(len(g), n, h, t, d)
        at_queries[:, :, :, queries] = torch.einsum("onhqk,nhkd->onhqd", slope, k)
        at_keys = torch.einsum("onhqk,nhqd->onhkd", slope, q)
        at_values = torch.einsum("nhqk,onhqd->onhkd", chances, g)
        found = [at_queries, at_keys, at_values]
        return [found[s] for s in slots]

    return Step(slots, tuple(shapes[s] for s in slots), apply, is_new=True, expands=True)


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

_RULES: dict[str, Callable[[Any, Field], Step | None]] = {
    **dict.fromkeys(VIEWS, _view),
    **{f"{name}Backward0": _entrywise for name in _ENTRYWISE},
    "AddBackward0": _add,
    "AddmmBackward0": _dense,
    "CloneBackward0": _copy,
    "MmBackward0": _dense,
    "MulBackward0": _multiply,
    "NativeLayerNormBackward0": _layer_norm,
    "PermuteBackward0": _permute,
    "ScaledDotProductFlashAttentionForCpuBackward0": _attention,
    "SelectBackward0": _select,
    "SliceBackward0": _slice,
    "TransposeBackward0": _transpose,
}
