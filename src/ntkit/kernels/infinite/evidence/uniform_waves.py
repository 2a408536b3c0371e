"""Sines of first layers with few inputs and uniform weights: SIREN's, whose units are not Gaussian.

A sum of few uniform weights is not Gaussian at any width, but sines of it have moments in closed form
(`UniformSine`), by the characteristic function of the weights.
"""

from dataclasses import replace
from typing import Any

from torch import fx, nn

from ntkit.kernels.infinite.activations.sinusoid import Sinusoid
from ntkit.kernels.infinite.evidence.first_layers import ENOUGH, is_uniform
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.front.calls.waves import WaveCall
from ntkit.kernels.infinite.front.lower import Lowered, lower
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.rules.draws import are_uniform
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["read_with_waves"]


def read_with_waves(
    traced: Traced, sample: dict[fx.Node, Any], variances: Variances, *, less_means: bool = False
) -> Lowered:
    """`lower`, with the sines of first layers of few uniform inputs taken exactly.

    Only where weights follow: what else takes the sines goes by Gaussian units, with the warning of
    `few_inputs`.

    Args:
        traced: The module.
        sample: What its nodes make of a few points.
        variances: Where those of plain layers come from.
        less_means: Whether the outputs' covariances are wanted, not their second moments.
    """
    lowered = lower(traced, sample, variances, less_means=less_means)
    graph, steps = Graph(lowered), list(lowered.steps)
    for place, drawn in lowered.drawn.items():
        layer, users = drawn.owner, graph.users(place)
        points = _first_points(lowered, place)
        if not isinstance(layer, nn.Linear) or points is None or len(users) != 1:
            continue
        (user,) = users
        bend, mixing = steps[user], graph.users(user)
        if not isinstance(bend, Bend) or user in lowered.outputs:
            continue
        wave = bend.activation
        if type(wave) is not Sinusoid or not wave.is_odd:
            continue
        if not mixing or not all(map(graph.mixes, mixing)) or not _is_told(layer, variances):
            continue
        steps[user] = WaveCall(
            f"uniform {bend.name}",
            bend.inputs,
            bend.units,
            points.features,
            wave,
            layer,
            variances,
            is_homogeneous=False,
        )
    program = replace(lowered.program, steps=tuple(steps))
    return replace(lowered, program=program)


def _first_points(lowered: Lowered, place: int) -> TakePoints | None:
    """What a layer takes, if it is the points' own features, few of them, without positions."""
    step, layer = lowered.steps[place], lowered.drawn[place].owner
    if not isinstance(layer, nn.Linear) or len(step.inputs) != 1:
        return None
    source = lowered.steps[step.inputs[0]]
    if layer.in_features > ENOUGH or step.units.positions or not isinstance(source, TakePoints):
        return None
    return source if lowered.features[source.features].transform is None else None


def _is_told(layer: nn.Linear, variances: Variances) -> bool:
    """Whether weights are uniform, and biases too as far as they tell."""
    if not is_uniform(layer, variances):
        return False
    if variances == "default" or layer.bias is None:
        return True
    return not bool(layer.bias.detach().any()) or are_uniform(layer.bias) is not False
