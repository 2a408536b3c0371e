"""A traced module as a list of steps, for points of given shapes."""

import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ntkit.kernels.infinite.calls.parameters import detached, note_parameter
from ntkit.kernels.infinite.calls.table import read_function, read_module
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.steps import Step, Transform
from ntkit.kernels.infinite.trace import Traced, refuse
from ntkit.kernels.infinite.variances import Variances

__all__ = ["Reading", "read"]


_DRAWS = re.compile(r"(rand|randn|randint|normal|bernoulli|uniform|multinomial|poisson)(_|_like)?$")
"""Names of functions that draw numbers."""


@dataclass(frozen=True)
class Reading:
    """A module as steps.

    Attributes:
        steps: In order of computation.
        outputs: The steps that the module returns.
        features: By step, the node of the traced module whose tensor it takes from the points.
        ranks: By such a step, the rank that the tensor is brought to by axes in front.
        transforms: By such a step, a function that the features go through first.
        channel_axes: By such a step, where that tensor has its channels; None for weights of
            positions.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    features: dict[int, fx.Node]
    channel_axes: dict[int, int | None]
    ranks: dict[int, int]
    transforms: dict[int, Transform]


def read(traced: Traced, sample: dict[fx.Node, Any], variances: Variances) -> Reading:
    """The steps of a module for points of the sample's shapes."""
    reader = Reader(traced, sample, variances)
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        has_state = any(reader.states.get(n) is not None for n in node.all_input_nodes)
        if node.op == "call_module":
            found = read_module(reader, node, has_state=has_state)
        elif has_state:
            found = read_function(reader, node)
        else:
            note_parameter(reader, node)
            found = None
        if found is None:
            _check_chance(reader, node)
        if found is not None and node not in reader.pieces:
            _check_points(reader, node)
        if found is not None and node.meta.get("no_grad"):
            found = detached(reader, found)
        reader.states[node] = found
    outputs = _outputs(reader, traced.output)
    return Reading(
        tuple(reader.steps),
        outputs,
        reader.features,
        reader.channel_axes,
        reader.ranks,
        reader.transforms,
    )


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


def _outputs(reader: Reader, output: fx.Node) -> tuple[int, ...]:
    returned = output.args[0]
    if isinstance(returned, dict):
        refuse(output, "the module returns a dict. Return a tensor, or a tuple of tensors.")
    nodes = list(returned) if isinstance(returned, list | tuple) else [returned]
    outputs = []
    for node in nodes:
        index = reader.state(node)
        if index is None or node in reader.pieces:
            refuse(
                output,
                f"the output `{node}` hangs on no layer with parameters, or is no tensor. "
                "Return the results of layers alone, as a tensor or a tuple.",
            )
        outputs.append(index)
    return tuple(outputs)
