"""Calls of layers: weights, scalings, activations."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import fx, nn

from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.front.calls.functions import ValueOf
from ntkit.kernels.infinite.front.calls.gates import refuse_gated
from ntkit.kernels.infinite.front.calls.known import known_mean
from ntkit.kernels.infinite.front.calls.pointwise import activated, composed, raised
from ntkit.kernels.infinite.front.calls.residual import after_shortcut
from ntkit.kernels.infinite.front.calls.scalings import of_features, scaled
from ntkit.kernels.infinite.front.calls.shapes import flattened
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.front.trained import trained, trained_at_all
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.held_layer import held
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractUnbound
from ntkit.kernels.infinite.program.ops.affine import Affine, Convolve, Custom
from ntkit.kernels.infinite.program.units import Units
from ntkit.kernels.infinite.rules.normalisation import BATCH
from ntkit.kernels.infinite.rules.registry import Rule
from ntkit.kernels.infinite.rules.variances import Taken, mean_of, spread_of

__all__ = ["activation", "layer"]


def layer(reader: Reader, node: fx.Node, rule: Rule) -> int:
    """A layer with a rule."""
    module = reader.layer(node)
    (argument,) = node.all_input_nodes
    if reader.states.get(argument) is None and isinstance(module, BATCH):
        return of_features(reader, node, argument)
    index = reader.entered(argument, rule.channel_axis)
    value, shape = reader.units(index), reader.shape(argument)
    if value.channel_axis == 0 and len(shape) == 2 and rule.channel_axis == -1:
        index = flattened(reader, index)  # one unit at each position: as features
        value = reader.units(index)
    if value.channel_axis != rule.channel_axis % len(shape):
        refuse(
            node,
            f"`{module}` takes its channels from axis {rule.channel_axis} of {tuple(shape)}, which "
            f"holds positions; the channels are at axis {value.channel_axis}. Only weights across "
            "channels have a limit.",
        )
    if getattr(module, "groups", 1) > 1 and not value.is_alike and not is_depthwise(module):
        refuse(
            node,
            f"`{module}` takes each group from some of the channels, and in a concatenation (or what was "
            "made of it) these differ, so that the groups do. Use a layer for each part, or `groups=1`.",
        )
    trained(where(node), module, no_grad=False)
    if rule.effect == "scaling":
        if index in reader.concats and rule.numbers is None:
            _check_lengths(reader, node, index, rule)
        return reader.per_part(index, lambda part: scaled(reader, node, part, rule))

    out = reader.shape(node)
    axis = rule.channel_axis % len(out)
    positions = tuple(s for k, s in enumerate(out) if k not in {0, axis})
    depthwise = is_depthwise(module)
    mean = 0.0 if depthwise else _mean_of_bias(reader, module, positions)
    windows = rule.effect == "windows"
    sources = value.sources if depthwise else frozenset()
    step = LayerCall(
        str(module),
        (index,),
        Units(
            axis, positions, False, not depthwise, True, sources, value.is_alike or not depthwise
        ),
        module,
        rule,
        "centred" if mean else reader.variances,
        None if value.is_flat else value.positions,
        bool(node.meta.get("no_grad")),
        where(node),
        back="windows" if windows else "each" if value.is_flat else "same",
    )
    drawn = Drawn(reader.name_of(node), module, "layer", mean)
    new = reader.add(step, drawn, has_weights=True)
    if not step.has_numbers:
        refuse_gated(reader, node, step.name, step.inputs)
    return raised(reader, new, mean) if mean else new


def _check_lengths(reader: Reader, node: fx.Node, index: int, rule: Rule) -> None:
    """Refuse a rule that reads variances, where each part of a concatenation has its own."""
    module, sizes = reader.layer(node), reader.units(index).positions

    def after(variance: float) -> PairState:
        table = torch.ones(1, 1, *sizes, dtype=torch.float64)
        squares = variance * table
        state = PairState(table, table, squares, squares, positions=sizes)
        return rule(module, state, reader.variances)

    one, other = after(2.0), after(8.0)
    if not torch.equal(one.cov, other.cov):
        refuse(
            node,
            f"`{module}` acts on a concatenation, and its rule reads the variances of units: those of one "
            "part are not those of all. Say what it divides by (`ntkit.kernels.rules.normalisation`), or put a "
            "layer with weights before it.",
        )


def _mean_of_bias(reader: Reader, module: nn.Module, positions: tuple[int, ...]) -> float:
    """The mean of the biases of a plain layer that a later step is to add.

    With positions only where it is the same for all channels: what follows then is integrated
    numerically, which is slow for pairs of positions.
    """
    bias = getattr(module, "bias", None)
    measured = reader.with_means and reader.variances == "measured"
    if not measured or bias is None or not type(module).__module__.startswith("torch."):
        return 0.0
    mean = mean_of(bias)
    return mean if not positions or (mean and spread_of(bias) <= 1e-12 * mean**2) else 0.0


def is_depthwise(module: nn.Module) -> bool:
    """Whether each output channel sees one input channel, so that it is no sum of many."""
    groups = getattr(module, "groups", 1)
    return groups > 1 and getattr(module, "in_channels", 0) == groups


def activation(reader: Reader, node: fx.Node, module: nn.Module, dual: AbstractActivation) -> int:
    """An elementwise nonlinearity, and the dual that it has."""

    def each(index: int) -> int:
        value = reader.units(index)
        refuse_gated(reader, node, str(module), (index,))
        if (value.is_gaussian and value.is_centred) or index not in reader.pointwise:
            found = activated(reader, index, dual, str(module))
        elif dual.is_elementwise:
            found = composed(reader, [index], ValueOf(dual), node.name, dual.kinks)
        else:
            found = None
        if found is None:
            found = after_shortcut(reader, index, dual, str(module))
        if found is None and known_mean(reader, index) is not None:
            refuse(
                node,
                f"`{module}` acts on units around known means (numbers, a table of positions, the "
                "points' own features), and it bends or jumps so that its moments have no formula "
                "there. Use a piecewise linear nonlinearity (`nn.ReLU`) or a smooth one (`nn.GELU`).",
            )
        if found is None:
            refuse(
                node,
                f"`{module}` acts on units that are not Gaussian: what comes out of a nonlinearity, "
                "dropout, a product, a depthwise convolution or raw input is in them, and nothing "
                "with weights stands between. Put a layer with weights in between; in a residual "
                "block let the sum be of layers' outputs (pre-activation, or a projection in the "
                "shortcut: only one ReLU after another has a rule without); dropout may come after "
                "the nonlinearity.",
            )
        return found

    return reader.per_part(reader.only_state(node), each)


@dataclass(frozen=True)
class LayerCall(AbstractUnbound):
    """A call of a layer with weights.

    Attributes:
        layer: It.
        rule: What it does to a state.
        variances: Where those of plain layers come from.
        positions: Sizes of its inputs' axes of positions; None where they are flattened.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: nn.Module
    rule: Rule
    variances: Taken
    positions: tuple[int, ...] | None
    no_grad: bool
    where: str

    keeps_means: ClassVar[bool] = True

    @property
    def has_numbers(self) -> bool:
        """Whether it becomes an operation with numbers, and not one with a third party's function."""
        by_windows = self.rule.windows is not None and self.positions is not None
        return self.rule.numbers is not None or by_windows

    def bind(self) -> AbstractOp:
        """By the numbers of the layer, where its rule says them."""
        layer, rule, variances = self.layer, self.rule, self.variances
        trains = trained(self.where, layer, no_grad=self.no_grad)
        same = self.name, self.inputs, self.units
        options: dict[str, Any] = {"back": self.back, "is_homogeneous": not _has_bias(layer)}
        if rule.numbers is not None:
            return Affine(*same, rule.numbers(layer, variances).trained(*trains), **options)
        if rule.windows is not None and self.positions is not None:
            windows = rule.windows(layer, self.positions, variances)
            return Convolve(*same, windows.trained(*trains), **options)
        either = trained_at_all(self.where, layer, no_grad=self.no_grad)
        return Custom(
            *same, held(layer), rule.apply, variances, either, True, self.where, **options
        )


def _has_bias(module: nn.Module) -> bool:
    return getattr(module, "bias", None) is not None and bool(getattr(module, "b_std", 1.0) != 0)
