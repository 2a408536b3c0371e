"""A traced module as a list of steps, for points of given shapes."""

from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from ntkit.kernels.infinite.calls.table import read_function, read_module
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.steps import Step
from ntkit.kernels.infinite.trace import Traced, attribute, refuse
from ntkit.kernels.infinite.variances import Variances

__all__ = ["Reading", "read"]


@dataclass(frozen=True)
class Reading:
    """A module as steps.

    Attributes:
        steps: In order of computation.
        outputs: The steps that the module returns.
        features: By step, the node of the traced module whose tensor it takes from the points.
        channel_axes: By such a step, where that tensor has its channels; None for weights of
            positions.
    """

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]
    features: dict[int, fx.Node]
    channel_axes: dict[int, int | None]


def read(traced: Traced, sample: dict[fx.Node, Any], variances: Variances) -> Reading:
    """The steps of a module for points of the sample's shapes."""
    reader = Reader(traced, sample, variances)
    (output,) = (node for node in traced.graph.nodes if node.op == "output")
    for node in traced.graph.nodes:
        if node.op == "output":
            continue
        has_state = any(reader.states.get(n) is not None for n in node.all_input_nodes)
        if node.op == "call_module":
            reader.states[node] = read_module(reader, node, has_state=has_state)
        elif has_state:
            reader.states[node] = read_function(reader, node)
        else:
            _refuse_bare_parameters(reader, node)
            reader.states[node] = None
    returned = output.args[0]
    nodes = list(returned) if isinstance(returned, list | tuple) else [returned]
    outputs = [reader.state(node) for node in nodes]
    found = [k for k in outputs if k is not None]
    if len(found) < len(outputs) or not found:
        refuse(output, "an output hangs on no layer with parameters, or is no tensor.")
    return Reading(tuple(reader.steps), tuple(found), reader.features, reader.channel_axes)


def _refuse_bare_parameters(reader: Reader, node: fx.Node) -> None:
    for argument in node.all_input_nodes:
        if argument.op == "get_attr" and isinstance(
            attribute(reader.traced.root, str(argument.target)), nn.Parameter
        ):
            refuse(
                node,
                "a bare parameter acts on the inputs. Put it into a layer with a rule "
                "(`nn.Linear`, ...), or make it a buffer.",
            )
