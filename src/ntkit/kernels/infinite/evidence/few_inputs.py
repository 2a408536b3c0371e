"""First layers of few inputs: sums of a few weights that are not Gaussian at any width."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.quasirandom import SobolEngine

from ntkit._core.outside import warn
from ntkit.kernels.infinite.calls.normalisation import BATCH
from ntkit.kernels.infinite.evidence.draws import are_uniform
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.read import Reading
from ntkit.kernels.infinite.rules.normalisation import scale_and_shift
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Side, Step
from ntkit.kernels.infinite.variances import Variances, layer_variances

__all__ = ["ENOUGH", "check_inputs", "is_uniform", "uniform_layers"]

ENOUGH = 12.0
"""Inputs, counted by their share in a unit's variance, from which a sum of uniform weights is Gaussian
to less than a per cent in the moments of the usual nonlinearities."""

_UNITS = 2**13
"""Units that the moments are estimated from, at points that fill the cube evenly: errors below 0.2 %."""

_SAID = 0.015
"""Relative difference from which a warning is worth its line: twelve inputs of a smooth nonlinearity."""

_POINTS = 8
_AXES = 64

Bend = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class _First:
    """A layer with uniform weights on features.

    Attributes:
        name: The layer's.
        layer: It.
        features: `[n, f]`.
        bends: What its units go through up to fresh weights, of `[units, points]`.
    """

    name: str
    layer: nn.Linear
    features: Tensor
    bends: list[Bend]


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
        if reading.steps[source].back != "none" or not is_uniform(layer, variances):
            continue
        bends = _bends(graph, reading, place)
        if not bends:
            continue
        rows = points.features[source]
        rows = rows.reshape(-1, rows.shape[-1])[:_POINTS].detach()
        seen = rows[:, (rows != 0).any(0)]
        if seen.shape[1] <= _AXES:
            found.append(_First(drawn.name, layer, seen.cpu(), bends))
    return found


def is_uniform(layer: nn.Linear, variances: Variances) -> bool:
    """As PyTorch draws: told by the call, by the bound of the entries, or by their tails."""
    if variances == "default":
        return True
    weight = layer.weight.detach()
    bound = weight.shape[1] ** -0.5
    if weight.numel() >= 48 and 0.9 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6):
        return True  # no Gaussian of any size is likely to end there
    return are_uniform(weight) is True


def uniform_layers(reading: Reading, variances: Variances) -> tuple[bool, ...]:
    """For each dense layer of few inputs, in order, whether its weights are taken as uniform."""
    layers = [drawn.owner for drawn in reading.drawn.values()]
    return tuple(
        is_uniform(layer, variances)
        for layer in layers
        if isinstance(layer, nn.Linear) and layer.in_features <= ENOUGH
    )


def _bends(graph: Graph, reading: Reading, place: int) -> list[Bend]:
    """What a layer's units go through one after the other; empty if nothing of it is nonlinear.

    Multiples of the units and normalisations count: `sin(3 u)` is further from Gaussian moments
    than `sin(u)`, and a normalisation takes means off, which are further off than mean squares.
    """
    found: list[Bend] = []
    has_bent = False
    while True:
        # a normalisation also names the units whose means it takes off, after its own
        users = [k for k in graph.users(place) if reading.steps[k].inputs[0] == place]
        if len(users) != 1 or graph.mixes(users[0]):
            break
        (place,) = users
        step = reading.steps[place]
        drawn = reading.drawn.get(place)
        bent = _bend(step, drawn and drawn.owner)
        if bent is None:
            break
        found.append(bent)
        has_bent = has_bent or step.activation is not None
    return found if has_bent else []


def _bend(step: Step, owner: object) -> Bend | None:
    """One step as a function of the units; None for what is not followed."""
    if step.activation is not None:
        return step.activation.value if step.activation.is_elementwise else None
    if isinstance(owner, nn.LayerNorm | nn.RMSNorm) and not step.value.positions:
        return lambda units: _normalised(units, centred=isinstance(owner, nn.LayerNorm))
    if isinstance(owner, BATCH):
        size = float(scale_and_shift(owner)[0].detach().square().mean()) ** 0.5
        return lambda units: size * units
    if step.name.startswith("times "):
        one = torch.ones(1, 1, dtype=torch.float64)
        alone = Context(Side({}), None, with_ntk=False)
        factor = float(step.run((PairState(one, None),), alone, Demand()).cov) ** 0.5
        return lambda units: factor * units
    return None


def _normalised(units: Tensor, *, centred: bool) -> Tensor:
    """Of mean square one over the units, and of mean zero first."""
    if centred:
        units = units - units.mean(0)
    return units / units.square().mean(0).sqrt().clamp_min(1e-150)


def _difference(first: _First, variances: Variances) -> float:
    """Of the second moments after the nonlinearity, uniform weights against Gaussian ones.

    Relative, in the Frobenius norm over the pairs of points. The moments of its slope count little:
    they come with the first layer's own part of the tangent kernel, one in the width of the whole.
    """
    v, u = layer_variances(first.layer, variances)
    rows = torch.cat(
        [first.features * v**0.5, first.features.new_full((len(first.features), 1), u**0.5)], 1
    )
    inputs = (rows**2).sum(1) ** 2 / (rows**4).sum(1).clamp_min(1e-300)
    if float(inputs.max()) > 2 * ENOUGH or float(inputs.mean()) > ENOUGH:
        return 0.0
    draws = SobolEngine(rows.shape[1], scramble=True, seed=0).draw(_UNITS).double()
    draws = draws.clamp(1e-9, 1 - 1e-9)
    uniform, gaussian = sqrt(12) * (draws - 0.5), sqrt(2) * torch.erfinv(2 * draws - 1)
    with torch.no_grad():
        units = [weights @ rows.T for weights in (uniform, gaussian)]
        for bend in first.bends:
            units = [bend(u) for u in units]
    one, other = (t.T @ t for t in units)
    return float((one - other).norm() / other.norm().clamp_min(1e-300))
