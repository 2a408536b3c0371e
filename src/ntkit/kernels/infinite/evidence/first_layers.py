"""The layers that see the points' own features with uniform weights, and their units drawn many times."""

from dataclasses import dataclass
from math import sqrt

from torch import Tensor, fx, nn

from ntkit._core.running import StandIn
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.front.calls.waves import WaveCall
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.rules.draws import are_uniform
from ntkit.kernels.infinite.rules.variances import Variances, layer_variances

__all__ = ["CONVOLUTIONS", "ENOUGH", "FirstLayer", "first_layers", "is_uniform", "uniform_layers"]

ENOUGH = 24.0
"""Inputs, counted by their share in a unit's variance, from which a sum of uniform weights is Gaussian
to less than a per cent in the moments of any usual nonlinearity."""

_UP = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
CONVOLUTIONS = nn.Conv1d | nn.Conv2d | nn.Conv3d | _UP
"""Layers whose channels are axis 1."""


@dataclass(frozen=True)
class FirstLayer:
    """A plain layer on features.

    Attributes:
        name: The layer's.
        node: Its call.
        layer: It.
        source: The number of the features.
        weight: The variance of its weights.
        bias: The mean and the variance of its biases.
        is_bias_uniform: Whether these are drawn uniformly too.
    """

    name: str
    node: fx.Node
    layer: nn.Linear | CONVOLUTIONS
    source: int
    weight: float
    bias: tuple[float, float]
    is_bias_uniform: bool

    @property
    def units(self) -> int:
        """Channels that it makes."""
        if isinstance(self.layer, nn.Linear):
            return self.layer.out_features
        return self.layer.out_channels

    @property
    def numbers(self) -> int:
        """Weights and the bias that a unit is made with."""
        weight = self.layer.weight
        if isinstance(self.layer, _UP):
            return weight[:, 0].numel() // self._groups + 1
        return weight[0].numel() + 1

    @property
    def axis(self) -> int:
        """Of the channels."""
        return -1 if isinstance(self.layer, nn.Linear) else 1

    @property
    def _groups(self) -> int:
        return 1 if isinstance(self.layer, nn.Linear) else self.layer.groups

    def heard(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """The variance of a unit at each point and position, and how many inputs it is a sum of.

        Inputs are counted by their share in the variance: `(sum q)^2 / sum q^2` of `q = v x^2`.

        Args:
            features: As the layer takes them, float64.
        """
        groups, shape = self._groups, self.layer.weight.shape
        lead = (shape[0], 1) if isinstance(self.layer, _UP) else (groups, *shape[1:2])
        ones, bias = features.new_ones(*lead, *shape[2:]), features.new_ones(groups)
        v, u = self.weight, self.bias[1]
        size = self._run(features**2, v * ones, u * bias)
        squares = self._run(features**4, v**2 * ones, u**2 * bias)
        return size, size**2 / squares.clamp_min(1e-300)

    def drawn(self, features: Tensor, table: Tensor) -> Tensor:
        """Its units on features, for networks drawn one after the other.

        Args:
            features: As the layer takes them, `[n, ...]`.
            table: Draws of mean square one, `[networks * units, numbers]`.

        Returns:
            `[n * networks, ...]`: the networks of a point are next to each other.
        """
        count, groups = len(table) // self.units, self._groups
        mean, u = self.bias
        weights = self._weights(table[:, :-1].to(features) * sqrt(self.weight), count)
        bias = mean + sqrt(u) * table[:, -1].to(features)
        bias = bias.reshape(count, groups, -1).transpose(0, 1).flatten()
        found = self._run(features, weights, bias)
        found = found.unflatten(self.axis, (groups, count, self.units // groups))
        last = found.ndim - 3 if self.axis == -1 else 1  # of the groups
        found = found.movedim(last + 1, 1)
        return found.flatten(last + 1, last + 2).flatten(0, 1)

    def _weights(self, table: Tensor, count: int) -> Tensor:
        """`[networks * units, weights]` as a layer with the units of all networks holds them."""
        shape = self.layer.weight.shape
        if isinstance(self.layer, nn.Linear):
            return table
        groups = self._groups
        if not isinstance(self.layer, _UP):
            table = table.reshape(count, groups, -1, *shape[1:]).transpose(0, 1)
            return table.flatten(0, 2)
        table = table.reshape(count, groups, shape[1], shape[0] // groups, *shape[2:])
        return table.movedim(0, 1).movedim(3, 1).flatten(2, 3).flatten(0, 1)

    def _run(self, features: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
        own = {} if self.layer.bias is None else {"bias": bias}
        return StandIn(self.layer)({"weight": weights, **own}, (features,), {})


def first_layers(traced: Traced, lowered: Lowered, variances: Variances) -> list[FirstLayer]:
    """The plain layers with uniform weights that take features of the points, and Gaussian rules."""
    calls = {
        id(traced.layer(node)): node for node in traced.graph.nodes if node.op == "call_module"
    }
    graph, found = Graph(lowered), []
    for place, drawn in lowered.drawn.items():
        layer, inputs = drawn.owner, lowered.steps[place].inputs
        if not isinstance(layer, nn.Linear | CONVOLUTIONS) or len(inputs) != 1:
            continue
        points = lowered.steps[inputs[0]]
        if not isinstance(points, TakePoints) or not is_uniform(layer, variances):
            continue
        if any(isinstance(lowered.steps[k], WaveCall) for k in graph.users(place)):
            continue  # sines, by the law of the weights
        found.append(_first(drawn, layer, calls[id(layer)], points.features, variances))
    return found


def _first(
    drawn: Drawn, layer: nn.Linear | CONVOLUTIONS, node: fx.Node, source: int, variances: Variances
) -> FirstLayer:
    has_mean = bool(drawn.mean) and variances == "measured"
    v, u = layer_variances(layer, "centred" if has_mean else variances)
    mean = drawn.mean if has_mean else 0.0
    is_told = variances == "default" or layer.bias is None or are_uniform(layer.bias) is not False
    return FirstLayer(drawn.name, node, layer, source, v, (mean, u), is_told)


def is_uniform(layer: nn.Linear | CONVOLUTIONS, variances: Variances) -> bool:
    """As PyTorch draws: told by the call, by the bound of the entries, or by their tails."""
    if variances == "default":
        return True
    weight = layer.weight.detach()
    bound = weight[0].numel() ** -0.5
    if weight.numel() >= 48 and 0.9 * bound < float(weight.abs().max()) <= bound * (1 + 1e-6):
        return True  # no Gaussian of any size is likely to end there
    return are_uniform(weight) is True


def uniform_layers(lowered: Lowered, variances: Variances) -> tuple[bool, ...]:
    """For each dense layer of few inputs, in order, whether its weights are taken as uniform."""
    layers = [drawn.owner for drawn in lowered.drawn.values()]
    return tuple(
        is_uniform(layer, variances)
        for layer in layers
        if isinstance(layer, nn.Linear) and layer.in_features <= ENOUGH
    )
