"""Sines of first layers with few inputs and uniform weights: SIREN's, whose units are not Gaussian.

A sum of few uniform weights is not Gaussian at any width, but sines of it have moments in closed form
(`UniformSine`), by the characteristic function of the weights.
"""

from dataclasses import replace

from torch import nn

from ntkit.kernels.infinite.activations.sinusoid import Sinusoid
from ntkit.kernels.infinite.evidence.first_layers import ENOUGH, is_uniform
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.front.calls.waves import WaveCall
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.rules.draws import are_uniform
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["with_waves"]


def with_waves(lowered: Lowered, variances: Variances) -> Lowered:
    """The same, with the sines of first layers of few uniform inputs taken exactly.

    Only where weights follow: what else takes the sines goes by Gaussian units, with the warning of
    `few_inputs`.

    Args:
        lowered: A module as a program.
        variances: Where those of plain layers come from.
    """
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
