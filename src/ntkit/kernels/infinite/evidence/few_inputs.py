"""First layers of few inputs: sums of a few weights that are not Gaussian at any width."""

from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from ntkit._core.outside import warn
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.evidence.draws import are_uniform
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.read import Reading
from ntkit.kernels.infinite.steps import Side
from ntkit.kernels.infinite.variances import Variances, layer_variances

__all__ = ["check_inputs"]

_ENOUGH = 12.0
"""Inputs, counted by their share in a unit's variance, from which a sum of uniform weights is Gaussian
to less than a per cent in the moments of the usual nonlinearities."""

_UNITS = 2**13
"""Units that the moments are estimated from, at points that fill the cube evenly: errors below 0.2 %."""

_SAID = 0.015
"""Relative difference from which a warning is worth its line: twelve inputs of a smooth nonlinearity."""

_POINTS = 8
_AXES = 64


@dataclass(frozen=True)
class _First:
    """A layer with uniform weights on features.

    Attributes:
        name: The layer's.
        layer: It.
        features: `[n, f]`.
        activation: What its units go through.
    """

    name: str
    layer: nn.Linear
    features: Tensor
    activation: AbstractActivation


def check_inputs(reading: Reading, variances: Variances, points: Side) -> str | None:
    """Warn where a uniform first layer of few inputs makes the moments differ by a per cent and more.

    Args:
        reading: The steps.
        variances: Where those of plain layers come from.
        points: A few points.

    Returns:
        The name of the layer; None if none is warned of.
    """
    for first in _first_layers(reading, variances, points):
        size = _difference(first, variances)
        if size > _SAID:
            warn(
                f"`{first.name}` sums few inputs with uniform weights (PyTorch's default), so its units "
                "are not Gaussian at any width: at these points the moments of its nonlinearity are off "
                f"by about {100 * size:.0f} %. Draw its weights and biases from a normal law "
                "(`nn.init.normal_`), use `ntkit.networks.Linear`, or put an encoding with more "
                "features in front."
            )
            return first.name
    return None


def _first_layers(reading: Reading, variances: Variances, points: Side) -> list[_First]:
    graph, found = Graph(reading), []
    for place, drawn in reading.drawn.items():
        layer = drawn.owner
        if not isinstance(layer, nn.Linear) or len(reading.steps[place].inputs) != 1:
            continue
        (source,) = reading.steps[place].inputs
        if reading.steps[source].back != "none" or not _is_uniform(layer, variances):
            continue
        bent = _activation(graph, reading, place)
        if bent is None:
            continue
        rows = points.features[source]
        rows = rows.reshape(-1, rows.shape[-1])[:_POINTS].detach()
        seen = rows[:, (rows != 0).any(0)]
        if seen.shape[1] <= _AXES:
            found.append(_First(drawn.name, layer, seen.cpu(), bent))
    return found


def _is_uniform(layer: nn.Linear, variances: Variances) -> bool:
    """As PyTorch draws: told by the call, by the bound of the entries, or by their tails."""
    if variances == "default":
        return True
    weight = layer.weight.detach()
    bound = weight.shape[1] ** -0.5
    if weight.numel() >= 48 and 0.9 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6):
        return True  # no Gaussian of any size is likely to end there
    return are_uniform(weight) is True


def _activation(graph: Graph, reading: Reading, place: int) -> AbstractActivation | None:
    """The one nonlinearity that a layer's units go through at once."""
    users = graph.users(place)
    if len(users) != 1:
        return None
    found = reading.steps[users[0]].activation
    return found if found is not None and found.is_elementwise else None


def _difference(first: _First, variances: Variances) -> float:
    """Of the second moments of the nonlinearity, uniform weights against Gaussian ones.

    Relative, in the Frobenius norm over the pairs of points. The moments of its slope count little:
    they come with the first layer's own part of the tangent kernel, one in the width of the whole.
    """
    v, u = layer_variances(first.layer, variances)
    rows = torch.cat(
        [first.features * v**0.5, first.features.new_full((len(first.features), 1), u**0.5)], 1
    )
    inputs = (rows**2).sum(1) ** 2 / (rows**4).sum(1).clamp_min(1e-300)
    if float(inputs.max()) > 2 * _ENOUGH or float(inputs.mean()) > _ENOUGH:
        return 0.0
    draws = SobolEngine(rows.shape[1], scramble=True, seed=0).draw(_UNITS).double()
    draws = draws.clamp(1e-9, 1 - 1e-9)
    uniform, gaussian = sqrt(12) * (draws - 0.5), sqrt(2) * torch.erfinv(2 * draws - 1)
    with torch.no_grad():
        units = [first.activation.value(weights @ rows.T) for weights in (uniform, gaussian)]
    one, other = (t.T @ t for t in units)
    return float((one - other).norm() / other.norm().clamp_min(1e-300))
