"""Sines of first layers with few inputs and uniform weights: SIREN's, whose units are not Gaussian.

A sum of few uniform weights is not Gaussian at any width, but sines of it have moments in closed form, by the
characteristic function of the weights: with `w_i ~ U(-a, a)` and `b ~ U(-c, c)`

    C(z, t) = E[cos(f (w.z + t b))] = prod_i sinc(f a z_i) sinc(f c t),      sinc(r) = sin(r) / r,
    E[s s']     = A^2 (C(x - x', 0) - C(x + x', 2)) / 2           of s = A sin(f (w.x + b)),
    E[ds ds']   = A^2 f^2 (C(x - x', 0) + C(x + x', 2)) / 2       of its derivatives.
"""

from collections.abc import Callable
from dataclasses import replace
from math import pi
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.activations.sinusoid import Sinusoid
from ntkit.kernels.infinite.evidence.draws import are_uniform
from ntkit.kernels.infinite.evidence.first_layers import ENOUGH, is_uniform
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.read import Reading, read
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Step
from ntkit.kernels.infinite.trace import Traced
from ntkit.kernels.infinite.variances import Variances, layer_variances

__all__ = ["read_with_waves"]


def read_with_waves(
    traced: Traced, sample: dict[fx.Node, Any], variances: Variances, *, less_means: bool = False
) -> Reading:
    """`read`, with the sines of first layers of few uniform inputs taken exactly.

    Only where weights follow: what else takes the sines goes by Gaussian units, with the warning of
    `few_inputs`.

    Args:
        traced: The module.
        sample: What its nodes make of a few points.
        variances: Where those of plain layers come from.
        less_means: Whether the outputs' covariances are wanted, not their second moments.
    """
    reading = read(traced, sample, variances, less_means=less_means)
    graph, steps = Graph(reading), list(reading.steps)
    for place, drawn in reading.drawn.items():
        layer, users = drawn.owner, graph.users(place)
        if not isinstance(layer, nn.Linear) or not _is_first(reading, place) or len(users) != 1:
            continue
        (user,) = users
        wave, mixing = steps[user].activation, graph.users(user)
        if type(wave) is not Sinusoid or not wave.is_odd or user in reading.outputs:
            continue
        if not mixing or not all(map(graph.mixes, mixing)) or not _is_told(layer, variances):
            continue
        steps[user] = _exact(steps[user], steps[place].inputs[0], wave, layer, variances)
    return replace(reading, steps=tuple(steps))


def _is_first(reading: Reading, place: int) -> bool:
    """Whether a layer takes the points' own features, few of them, without positions."""
    step, layer = reading.steps[place], reading.drawn[place].owner
    assert isinstance(layer, nn.Linear)
    source = step.inputs[0] if len(step.inputs) == 1 else -1
    few = layer.in_features <= ENOUGH and not step.value.positions
    return few and source in reading.features and source not in reading.transforms


def _is_told(layer: nn.Linear, variances: Variances) -> bool:
    """Whether weights are uniform, and biases too as far as they tell."""
    if not is_uniform(layer, variances):
        return False
    if variances == "default" or layer.bias is None:
        return True
    return not bool(layer.bias.detach().any()) or are_uniform(layer.bias) is not False


def _exact(step: Step, points: int, wave: Sinusoid, layer: nn.Linear, variances: Variances) -> Step:
    """The activation's step, from the points themselves."""

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        v, u = layer_variances(layer, variances)
        a, c = wave.frequency * (3 * v) ** 0.5, wave.frequency * (3 * u) ** 0.5
        left, right = context.both_features(points)
        offset = _sinc(torch.tensor(2 * c, dtype=left.dtype, device=left.device))
        apart = _characteristic(left, right, lambda x, y: x - y, a)
        around = offset * _characteristic(left, right, lambda x, y: x + y, a)
        square = wave.amplitude**2 / 2
        ntk = states[0].ntk
        state = PairState(
            square * (apart - around),
            None if ntk is None else square * wave.frequency**2 * (apart + around) * ntk,
        )
        if not demand.variances:
            return state
        var1, var2 = (
            square * (1 - offset * _characteristic(z, z, lambda x, y: x + y, a))
            for z in (left, right)
        )
        return replace(state, var1=var1, var2=var2)

    name = f"uniform {step.name}"
    return replace(
        step,
        name=name,
        run=run,
        back="same",
        is_homogeneous=False,
        activation=None,
        sees_points=True,
    )


def _characteristic(
    left: Tensor, right: Tensor, join: Callable[[Tensor, Tensor], Tensor], a: float
) -> Tensor:
    """`prod_i sinc(a z_i)` of the joined coordinates, one axis at a time."""
    found = _sinc(a * join(left[..., 0], right[..., 0]))
    for i in range(1, left.shape[-1]):
        found = found * _sinc(a * join(left[..., i], right[..., i]))
    return found


def _sinc(r: Tensor) -> Tensor:
    """`sin(r) / r`."""
    return torch.sinc(r / pi)
