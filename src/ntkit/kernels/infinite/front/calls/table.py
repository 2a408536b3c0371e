"""Which handler reads which call."""

import operator
from collections.abc import Callable, Hashable
from typing import Any, NoReturn

import torch
from torch import fx, nn
from torch.nn import functional

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.torch_internals import FORWARD_HOOKS
from ntkit.encodings.base import AbstractEncoding
from ntkit.kernels.infinite.activations import duals, functions
from ntkit.kernels.infinite.front.calls import (
    arithmetic,
    concatenation,
    entries,
    heads,
    layers,
    linear_maps,
    masks,
    parameters,
    pieces,
    shapes,
)
from ntkit.kernels.infinite.front.calls.attention import attention
from ntkit.kernels.infinite.front.calls.normalisation import normalised
from ntkit.kernels.infinite.front.calls.why_not import why_not
from ntkit.kernels.infinite.front.reader import Handler, Reader, is_size
from ntkit.kernels.infinite.front.replaced import replaced
from ntkit.kernels.infinite.front.trace import Traced, refuse
from ntkit.kernels.infinite.front.tracer import hangs_on_points
from ntkit.kernels.infinite.rules import refusals, rules
from ntkit.networks.aggregate import Aggregate
from ntkit.networks.attention import SelfAttention

__all__ = ["MODULES", "check_modules", "is_layer", "read_call"]

POSITION_MAPS = (
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d),
    *(nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d),
    *(nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d),
    *(nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d),
    *(nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d),
)
_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def _module_dropout(reader: Reader, node: fx.Node) -> int:
    layer: Any = reader.layer(node)
    rate = layer.p if layer.training else 0.0
    return layers.dropout(reader, node, rate, whole_channels=not isinstance(layer, nn.Dropout))


def _function_dropout(reader: Reader, node: fx.Node) -> int:
    names = ("input", "p", "training", "inplace")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    rate = bound.get("p", 0.5) if bound.get("training", True) else 0.0
    whole = node.target is not functional.dropout
    return layers.dropout(reader, node, rate, whole_channels=whole)


def _off_in_eval(reader: Reader, node: fx.Node) -> int:
    layer: Any = reader.layer(node)
    if layer.training and layer.p > 0:
        refuse(node, f"`{layer}` in training mode has no rule. Call `module.eval()`.")
    return reader.only_state(node)


def _same(reader: Reader, node: fx.Node) -> int:
    return reader.only_state(node)


def _reshape(reader: Reader, node: fx.Node) -> int:
    """Of positions, or of channels into heads."""
    index = reader.only_state(node)
    (argument,) = [n for n in node.all_input_nodes if reader.states.get(n) is not None]
    if heads.split(reader, node, index, reader.shape(argument), reader.shape(node)):
        return index
    return shapes.reshape(reader, node)


def _matmul(reader: Reader, node: fx.Node) -> int:
    """Of units with a matrix, or of queries with keys."""
    operands = [*node.args, *node.kwargs.values()]
    if all(reader.state(n) is not None for n in operands):
        return heads.products(reader, node)
    return linear_maps.matmul(reader, node)


def _no_state(reader: Reader, node: fx.Node) -> None:
    """Tensors of one number, whatever they are like."""


def _detached(reader: Reader, node: fx.Node) -> int:
    return parameters.detached(reader, reader.only_state(node))


def _getattr(reader: Reader, node: fx.Node) -> int | None:
    """`x.mT` and the like are transposes; sizes are plain values."""
    if isinstance(reader.sample[node], torch.Size) and not is_size(node):
        return shapes.transpose(reader, node)
    return None


MODULES: dict[type[nn.Module], Handler] = {
    nn.Identity: _same,
    nn.Flatten: shapes.reshape,
    nn.Unflatten: shapes.reshape,
    Aggregate: linear_maps.aggregate,
    SelfAttention: attention,
    nn.MultiheadAttention: attention,
    **dict.fromkeys(_DROPOUT, _module_dropout),
    **dict.fromkeys((nn.AlphaDropout, nn.FeatureAlphaDropout), _off_in_eval),
    **dict.fromkeys((nn.LayerNorm, nn.RMSNorm, nn.GroupNorm), normalised),
    nn.GLU: concatenation.gated,
    **dict.fromkeys(POSITION_MAPS, shapes.positions),
}
"""Modules that are neither a rule nor an activation."""

_FUNCTIONS: dict[Hashable, Callable[[Reader, fx.Node], int | None]] = {
    **dict.fromkeys(
        (
            operator.add,
            operator.iadd,
            torch.add,
            "add",
            "add_",
        ),
        arithmetic.total,
    ),
    **dict.fromkeys(
        (
            operator.sub,
            operator.isub,
            torch.sub,
            torch.subtract,
            "sub",
            "sub_",
        ),
        arithmetic.difference,
    ),
    **dict.fromkeys(
        (operator.mul, operator.imul, torch.mul, torch.multiply, "mul", "mul_"), arithmetic.product
    ),
    **dict.fromkeys(
        (operator.truediv, operator.itruediv, torch.div, torch.divide, "div", "div_"),
        arithmetic.quotient,
    ),
    **dict.fromkeys((operator.neg, torch.neg, torch.negative, "neg"), arithmetic.negative),
    **dict.fromkeys(
        (torch.cat, torch.concat, torch.concatenate, torch.hstack), concatenation.concatenate
    ),
    **dict.fromkeys(
        (
            torch.flatten,
            torch.reshape,
            torch.squeeze,
            torch.unsqueeze,
            "flatten",
            "reshape",
            "view",
            "squeeze",
            "unsqueeze",
            "unflatten",
        ),
        _reshape,
    ),
    functional.scaled_dot_product_attention: heads.fused,
    **dict.fromkeys(
        (
            torch.permute,
            torch.transpose,
            torch.swapaxes,
            torch.movedim,
            "permute",
            "transpose",
            "swapaxes",
            "movedim",
        ),
        shapes.transpose,
    ),
    **dict.fromkeys(
        (
            functional.avg_pool1d,
            functional.avg_pool2d,
            functional.avg_pool3d,
            functional.adaptive_avg_pool1d,
            functional.adaptive_avg_pool2d,
            functional.adaptive_avg_pool3d,
            functional.interpolate,
            functional.pad,
            torch.roll,
            torch.flip,
            torch.mean,
            torch.sum,
            torch.narrow,
            torch.index_select,
            "mean",
            "sum",
            "roll",
            "flip",
            "narrow",
            "index_select",
        ),
        shapes.positions,
    ),
    **dict.fromkeys(("contiguous", "clone", torch.clone, "requires_grad_"), _same),
    **dict.fromkeys(("detach", torch.detach), _detached),
    **dict.fromkeys(
        (
            torch.chunk,
            torch.split,
            torch.tensor_split,
            "chunk",
            "split",
            "tensor_split",
            torch.unbind,
            "unbind",
        ),
        pieces.split,
    ),
    **dict.fromkeys((torch.stack, torch.vstack), concatenation.stack),
    operator.getitem: entries.taken,
    functional.glu: concatenation.gated,
    **dict.fromkeys(
        (
            functional.dropout,
            functional.dropout1d,
            functional.dropout2d,
            functional.dropout3d,
        ),
        _function_dropout,
    ),
    **dict.fromkeys((torch.masked_fill, "masked_fill", "masked_fill_"), masks.filled),
    **dict.fromkeys((torch.where, "where"), masks.chosen),
    **dict.fromkeys((torch.zeros_like, torch.ones_like), _no_state),
    getattr: _getattr,
    **dict.fromkeys(
        (operator.matmul, torch.matmul, torch.bmm, "matmul", "bmm", "__matmul__"),
        _matmul,
    ),
    torch.einsum: shapes.positions,
}


def read_call(reader: Reader, node: fx.Node, has_state: bool) -> int | None:
    """File what a call of a module, a function or a method means; its step, if it depends on weights."""
    if node.op == "call_module":
        return _read_module(reader, node, has_state=has_state)
    return _read_function(reader, node)


def _read_module(reader: Reader, node: fx.Node, *, has_state: bool) -> int | None:
    """The step of a call of a module; None where it depends on no weights."""
    layer = reader.layer(node)
    kind = type(layer)
    has_parameters = any(True for _ in layer.parameters())
    if has_parameters and sum(n.target == node.target for n in node.graph.nodes) > 1:
        refuse(
            node,
            "the layer is called more than once, and the limit holds for independent weights. "
            "Give each call a layer of its own.",
        )
    if any(n in reader.layouts for n in node.all_input_nodes):
        return heads.read(reader, node)
    if kind is nn.Embedding and not has_state and parameters.is_table(reader, node):
        return None
    if not has_state and not has_parameters and kind is not SelfAttention and kind is not Aggregate:
        return None
    if kind in refusals:
        refuse(node, refusals[kind])
    if kind in MODULES:
        return MODULES[kind](reader, node)
    if kind in duals and has_state:
        return layers.activation(reader, node, layer)
    if kind not in rules:
        _refuse_unknown(node, layer)
    return layers.layer(reader, node)


def _read_function(reader: Reader, node: fx.Node) -> int | None:
    """The step of a call of a function or method on a state."""
    target: Any = node.target
    if any(n in reader.layouts for n in node.all_input_nodes):
        return heads.read(reader, node)
    if target in why_not:
        refuse(node, why_not[target])
    if target in functions:
        return layers.activation(reader, node, _as_module(node, functions[target]))
    if target in _FUNCTIONS:
        return _FUNCTIONS[target](reader, node)
    if target is not getattr and not _is_plain(reader.sample[node]):
        refuse(
            node,
            f"no rule for `{getattr(target, '__name__', target)}`. Write it with the modules and "
            "functions that docs/infinite.md lists, or put it into a module of its own and file a "
            "rule for that (`ntkit.kernels.rules.register`).",
        )
    return None  # a size or another plain value


def _as_module(node: fx.Node, build: Any) -> nn.Module:
    """The module that does what a function does."""
    args, kwargs = node.args[1:], {k: v for k, v in node.kwargs.items() if k != "input"}
    try:
        return build(*args, **kwargs)
    except (TypeError, ValueError, UnsupportedLayerError) as error:
        refuse(node, f"no rule for this use of `{node.name}`: {error}")


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a shape or the like; tensors are `torch.Size` in samples."""
    if isinstance(value, tuple) and not isinstance(value, torch.Size):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | bool | str | torch.dtype | torch.device | None)


def is_layer(module: nn.Module) -> bool:
    """Whether a module is a layer with a rule, or of the kin of one: a subclass has none until it is given."""
    return isinstance(module, (*rules, *duals, AbstractEncoding))


def check_modules(traced: Traced) -> None:
    """Refuse a module without a rule before any points are known."""
    on_weights = traced.on_weights()
    for node in traced.graph.nodes:
        if node.op != "call_module":
            continue
        layer = traced.layer(node)
        kind = type(layer)
        if any(getattr(layer, hooks) for hooks in FORWARD_HOOKS):
            refuse(
                node,
                f"`{layer}` has forward hooks, which may change what it computes (weight and spectral "
                "normalisation of the old kind do). Remove them.",
            )
        place = (
            replaced(layer) if node in on_weights or isinstance(layer, AbstractEncoding) else None
        )
        if place is not None:
            refuse(
                node,
                f"the forward of `{layer}` was replaced {place}, and the limit goes by the layer's type. "
                "Put what it does into the forward of a module around it, or give it a class and a "
                "rule of its own (`ntkit.kernels.rules.register`).",
            )
        if isinstance(layer, AbstractEncoding) and next(layer.parameters(), None) is not None:
            refuse(
                node,
                f"`{kind.__name__}` is trained with the network, however wide that is: no limit foresees "
                "it. Take `ntkit.empirical_ntk`, or an encoding without parameters.",
            )
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and (
            layer.training or layer.running_var is None
        ):
            refuse(
                node,
                f"`{layer}` in training mode couples the inputs of a batch, and so do batch "
                "statistics without running ones. Call `module.eval()`, or use `nn.LayerNorm`.",
            )
        if node not in on_weights or (kind is nn.Embedding and not hangs_on_points(node)):
            continue
        if kind in refusals:
            refuse(node, refusals[kind])
        if kind not in MODULES and kind not in duals and kind not in rules:
            _refuse_unknown(node, layer)


def _refuse_unknown(node: fx.Node, layer: nn.Module) -> NoReturn:
    parent = next((p for p in type(layer).__mro__[1:] if p in duals or p in MODULES), None)
    if parent is not None:
        refuse(
            node,
            f"`{type(layer).__qualname__}` is a subclass of {parent.__qualname__}, whose limit "
            "need not hold for it. File a rule for this exact type.",
        )
    try:
        rules[layer]
    except UnsupportedLayerError as error:
        refuse(node, str(error))
    raise AssertionError(layer)
