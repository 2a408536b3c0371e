"""A traced module as a list of steps, for points of given shapes."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.front.calls.covariance import covariance
from ntkit.kernels.infinite.front.calls.gates import check_gated
from ntkit.kernels.infinite.front.calls.known import varies
from ntkit.kernels.infinite.front.calls.parameters import detached, note_parameter
from ntkit.kernels.infinite.front.calls.pieces import pieces
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.trace import Traced, refuse, where
from ntkit.kernels.infinite.program.at_call import note_call
from ntkit.kernels.infinite.program.program import UnboundProgram
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["lower"]

ReadCall = Callable[[Reader, fx.Node, bool], int | None]


_DRAWS = re.compile(r"(rand|randn|randint|normal|bernoulli|uniform|multinomial|poisson)(_|_like)?$")
"""Names of functions that draw numbers."""


def lower(
    traced: Traced,
    sample: dict[fx.Node, Any],
    variances: Variances,
    read: ReadCall,
    *,
    less_means: bool = False,
) -> Lowered:
    """The steps of a module for points of the sample's shapes.

    Shifts and tables of positions that nobody drew are taken with their means, where what follows has
    a rule for that; else all count as draws, and `evidence.assumptions` says so.

    Args:
        traced: The module.
        sample: What its nodes make of a few points.
        variances: Where those of plain layers come from.
        read: Files what one call means with the reader: `read(reader, node, has_state)`, where `has_state`
            says whether an argument depends on weights. `calls.table.read_call` is all that is known.
        less_means: Whether the outputs' covariances are wanted, not their second moments.
    """
    try:
        return _lower(Reader(traced, sample, variances), read, less_means=less_means)
    except UnsupportedLayerError:
        reader = Reader(traced, sample, variances, with_means=False)
        return _lower(reader, read, less_means=less_means)


def _lower(reader: Reader, read: ReadCall, *, less_means: bool) -> Lowered:
    traced, lines = reader.traced, list[str]()
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        has_state = any(reader.states.get(n) is not None for n in node.all_input_nodes)
        start = len(reader.steps)
        if has_state or node.op == "call_module":
            try:
                found = read(reader, node, has_state)
            except Exception as error:
                note_call(error, where(node))
                raise
        else:
            note_parameter(reader, node)
            found = None
        if found is None:
            _check_chance(reader, node)
        if found is not None and node not in reader.pieces and node not in reader.layouts:
            _check_points(reader, node)
        check_gated(reader, node, start)
        if found is not None and node.meta.get("no_grad"):
            found = detached(reader, found)
        reader.states[node] = found
        lines += [where(node)] * (len(reader.steps) - len(lines))
    outputs = _outputs(traced.output, _returned(reader, traced.output))
    heads = _heads(reader, outputs)
    steps, with_means = [k for _, k in outputs], ()
    if less_means:
        steps, with_means = _less_means(reader, outputs)
    lines += [where(traced.output)] * (len(reader.steps) - len(lines))
    program = UnboundProgram(tuple(reader.steps), tuple(steps), tuple(lines))
    return Lowered(traced, program, tuple(reader.features), heads, with_means, reader.drawn)


def _check_chance(reader: Reader, node: fx.Node) -> None:
    """Refuse features that are drawn anew at every call: masks on the inputs, noise."""
    if node.op == "call_module":
        layer = reader.layer(node)
        drawn = isinstance(layer, nn.modules.dropout._DropoutNd | nn.RReLU) and layer.training
    else:
        target: Any = node.target
        name = target if isinstance(target, str) else getattr(target, "__name__", "")
        training = node.kwargs.get("training", node.args[2] if len(node.args) > 2 else True)
        masks = "dropout" in name and training
        drawn = node.op != "placeholder" and bool(masks or _DRAWS.match(name))
    if drawn:
        refuse(
            node,
            "it draws features anew at every call, so that there is no one kernel of the points. "
            "Call `module.eval()`, or draw them outside of the module and pass them as an input.",
        )


def _check_points(reader: Reader, node: fx.Node) -> None:
    """Refuse what does not keep the points apart along the first axis."""
    shape, n = reader.sample[node], reader.shape(reader.traced.inputs[0])[0]
    if isinstance(shape, torch.Size) and (not len(shape) or shape[0] != n):
        refuse(
            node,
            f"of {n} points it makes a tensor of shape {tuple(shape)}: the first axis does not hold "
            "the points any more. Pass points `[n, channels, *positions]` to convolutions, and keep "
            "the first axis as it is.",
        )


def _returned(reader: Reader, output: fx.Node) -> list[tuple[Any, int | None]]:
    """What the module returns: nodes, and their steps."""
    returned = output.args[0]
    if isinstance(returned, dict):
        refuse(output, "the module returns a dict. Return a tensor, or a tuple of tensors.")
    if isinstance(returned, fx.Node) and returned in reader.pieces:
        return [(returned, k) for k in pieces(reader, output, returned)]
    nodes = list(returned) if isinstance(returned, list | tuple) else [returned]
    partial = reader.pieces | set(reader.layouts)
    return [(node, None if node in partial else reader.state(node)) for node in nodes]


def _outputs(output: fx.Node, returned: list[tuple[Any, int | None]]) -> list[tuple[fx.Node, int]]:
    """The same, where all are results of layers."""
    for node, index in returned:
        if index is None:
            refuse(
                output,
                f"the output `{node}` depends on no layer with parameters, or is no tensor. "
                "Return the results of layers alone, as a tensor or a tuple.",
            )
    return [(node, index) for node, index in returned if index is not None]


def _heads(
    reader: Reader, outputs: list[tuple[fx.Node, int]]
) -> tuple[tuple[fx.Node, tuple[int, ...]], ...]:
    """The outputs that are concatenations; refuse those whose units differ and have no parts any more."""
    found = []
    for node, index in outputs:
        value, concat = reader.units(index), reader.concats.get(index)
        if value.is_alike:
            continue
        values = [reader.units(part) for part in concat.parts] if concat else []
        if not concat and varies(reader, index):
            refuse(
                node,
                "known means that differ from output to output (a table, the points' own features) go "
                "through a nonlinearity, so that no one kernel is that of all outputs. Take one output "
                "before (`f(x)[:, :1] + x[:, :1]`), or leave the nonlinearity to the loss.",
            )
        if not concat or any(v.positions != value.positions or not v.sources for v in values):
            refuse(
                node,
                "the outputs come from a concatenation whose parts differ, so that no one kernel is "
                "that of all outputs. Let a layer with weights come last, or return the parts as a "
                "tuple: each then has its own.",
            )
        found.append((node, concat.parts))
    return tuple(found)


def _less_means(
    reader: Reader, outputs: list[tuple[fx.Node, int]]
) -> tuple[list[int], tuple[fx.Node, ...]]:
    """The steps that give covariances, and the nodes for which there are none."""
    less = [covariance(reader, k) for _, k in outputs]
    steps = [k if new is None else new for (_, k), new in zip(outputs, less, strict=True)]
    return steps, tuple(n for (n, _), new in zip(outputs, less, strict=True) if new is None)
