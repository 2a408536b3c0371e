"""What each call means to the front end: one look into the table of meanings, and one reader a kind."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.torch_internals import FORWARD_HOOKS
from ntkit.encodings.base import AbstractEncoding
from ntkit.kernels.infinite.activations import AsModule, HasDual, duals
from ntkit.kernels.infinite.front.calls import (
    arithmetic,
    attention,
    concatenation,
    dropout,
    entries,
    heads,
    layers,
    linear_maps,
    masks,
    normalisation,
    parameters,
    pieces,
    pooling,
    unchanged,
)
from ntkit.kernels.infinite.front.reader import Reader, Reading
from ntkit.kernels.infinite.front.replaced import replaced
from ntkit.kernels.infinite.front.trace import Traced, refuse
from ntkit.kernels.infinite.front.tracer import depends_on_points
from ntkit.kernels.infinite.meanings import AbstractMeaning, NoLimit, meanings
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.rules.kinds import Attends, Normalises, Pools
from ntkit.kernels.infinite.rules.registry import HasRule

__all__ = ["check_modules", "is_layer", "read_call"]

_FILED = (
    *(arithmetic, attention, concatenation, dropout, entries, heads, layers),
    *(linear_maps, masks, normalisation, parameters, pieces, pooling, unchanged),
)
"""The files whose import fills the table."""


def _refused(reader: Reader, node: fx.Node, meaning: NoLimit) -> NoReturn:
    refuse(node, meaning.why)


def _read(reader: Reader, node: fx.Node, meaning: Reading) -> int | None:
    return meaning.read(reader, node)


def _layer(reader: Reader, node: fx.Node, meaning: HasRule) -> int:
    return layers.layer(reader, node, meaning.rule)


def _elementwise(reader: Reader, node: fx.Node, meaning: HasDual) -> int:
    layer = reader.layer(node)
    return layers.activation(reader, node, layer, meaning.build(layer))


def _as_module(reader: Reader, node: fx.Node, meaning: AsModule) -> int:
    """The module that does what a function does."""
    args, kwargs = node.args[1:], {k: v for k, v in node.kwargs.items() if k != "input"}
    build: Any = meaning.build
    try:
        layer = build(*args, **kwargs)
    except (TypeError, ValueError, UnsupportedLayerError) as error:
        refuse(node, f"no rule for this use of `{node.name}`: {error}")
    return layers.activation(reader, node, layer, duals[layer](layer))


_READERS: dict[type[AbstractMeaning], Callable[[Reader, fx.Node, Any], int | None]] = {
    NoLimit: _refused,
    Reading: _read,
    HasRule: _layer,
    HasDual: _elementwise,
    AsModule: _as_module,
    Attends: attention.by_rule,
    Pools: pooling.pooled,
    Normalises: normalisation.normalised,
}
"""By kind of meaning, how the steps of a call are filed. What is followed inside is never one call."""


def read_call(reader: Reader, node: fx.Node, has_state: bool) -> int | None:
    """File what a call of a module, a function or a method means; its step, if it depends on weights."""
    if node.op == "call_module":
        return _read_module(reader, node, has_state=has_state)
    return _read_function(reader, node)


def _read_module(reader: Reader, node: fx.Node, *, has_state: bool) -> int | None:
    """The step of a call of a module; None where it depends on no weights."""
    layer = reader.layer(node)
    meaning = meanings.get(type(layer))
    has_parameters = any(True for _ in layer.parameters())
    if has_parameters and sum(n.target == node.target for n in node.graph.nodes) > 1:
        refuse(
            node,
            "the layer is called more than once, and the limit holds for independent weights. "
            "Give each call a layer of its own.",
        )
    if any(n in reader.layouts for n in node.all_input_nodes):
        return heads.read(reader, node)
    if not has_state:
        if type(layer) is nn.Embedding and parameters.is_table(reader, node):
            return None
        on_points = isinstance(meaning, Attends) or (
            isinstance(meaning, Reading) and meaning.of_points
        )
        if not has_parameters and not on_points:
            return None
        if isinstance(meaning, HasDual):
            _refuse_unknown(node, layer)
    if meaning is None or type(meaning) not in _READERS:
        _refuse_unknown(node, layer)
    return _READERS[type(meaning)](reader, node, meaning)


def _read_function(reader: Reader, node: fx.Node) -> int | None:
    """The step of a call of a function or method on a state."""
    target: Any = node.target
    if any(n in reader.layouts for n in node.all_input_nodes):
        return heads.read(reader, node)
    meaning = meanings.get(target)
    if meaning is not None and type(meaning) in _READERS:
        return _READERS[type(meaning)](reader, node, meaning)
    if target is not getattr and not _is_plain(reader.sample[node]):
        refuse(
            node,
            f"no rule for `{getattr(target, '__name__', target)}`. Write it with the modules and "
            "functions that docs/infinite.md lists, or put it into a module of its own and file a "
            "rule for that (`ntkit.kernels.rules.register`).",
        )
    return None  # a size or another plain value


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a shape or the like; tensors are `torch.Size` in samples."""
    if isinstance(value, tuple) and not isinstance(value, torch.Size):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | bool | str | torch.dtype | torch.device | None)


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one call: of a meaning, or of the kin of a layer with a rule or a dual.

    A subclass of such a layer has no meaning until it is given one, and cannot be followed inside.
    """
    if isinstance(module, AbstractEncoding):
        return True
    first, *parents = (meanings.get(kind) for kind in type(module).__mro__)
    is_call = first is not None and type(first) in _READERS
    return is_call or any(isinstance(meaning, HasRule | HasDual) for meaning in parents)


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
        if node not in on_weights or (kind is nn.Embedding and not depends_on_points(node)):
            continue
        meaning = meanings.get(kind)
        if isinstance(meaning, NoLimit):
            refuse(node, meaning.why)
        if meaning is None or type(meaning) not in _READERS:
            _refuse_unknown(node, layer)


def _refuse_unknown(node: fx.Node, layer: nn.Module) -> NoReturn:
    known = {p: meanings.get(p) for p in type(layer).__mro__[1:]}
    parent = next(
        (
            p
            for p, m in known.items()
            if isinstance(m, HasDual | Reading | Pools | Normalises | Attends)
        ),
        None,
    )
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
