"""Calls of layers: weights, scalings, activations, dropout."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations import AbstractActivation, duals
from ntkit.kernels.infinite.calls.normalisation import BATCH, of_features, scaled
from ntkit.kernels.infinite.calls.parameters import trained
from ntkit.kernels.infinite.calls.pointwise import activated, composed, raised
from ntkit.kernels.infinite.calls.shapes import flattened
from ntkit.kernels.infinite.reader import Drawn, Reader
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step, Value, settle
from ntkit.kernels.infinite.trace import refuse
from ntkit.kernels.infinite.variances import Taken, mean_of, spread_of
from ntkit.kernels.infinite.windows import Windows

__all__ = ["activation", "dropout", "layer"]


def layer(reader: Reader, node: fx.Node) -> int:
    """A layer with a rule."""
    module = reader.layer(node)
    rule = rules[module]
    (argument,) = node.all_input_nodes
    if reader.states.get(argument) is None and isinstance(module, BATCH):
        return of_features(reader, node, argument)
    index = reader.entered(argument, rule.channel_axis)
    value, shape = reader.value(index), reader.shape(argument)
    if value.channel_axis == 0 and len(shape) == 2 and rule.channel_axis == -1:
        index = flattened(reader, index)  # one unit at each position: as features
        value = reader.value(index)
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
    trains = trained(node, module)
    if rule.effect == "scaling":
        return reader.per_part(index, lambda part: scaled(reader, node, part, trains))

    out = reader.shape(node)
    axis = rule.channel_axis % len(out)
    positions = tuple(s for k, s in enumerate(out) if k not in {0, axis})
    place = len(reader.steps)
    windows = rule.effect == "windows"
    depthwise = is_depthwise(module)
    mean = 0.0 if depthwise else _mean_of_bias(reader, module, positions)
    variances: Taken = "centred" if mean else reader.variances

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        before = replace(states[0].read_out(), trains=trains)
        state = replace(_ruled(node, rule, module, before, variances), trains=(True, True))
        return settle(state, place, context, demand) if windows else state

    of_layer = rule.windows

    def as_windows() -> Windows:
        assert of_layer is not None
        return of_layer(module, value.positions, variances).trained(*trains)

    back = "windows" if windows else "each" if value.is_flat else "same"
    sources = frozenset({Source(place)}) | (value.sources if depthwise else frozenset())
    reader.drawn[place] = Drawn(reader.name_of(node), module, "layer", mean)
    new = reader.add(
        Step(
            str(module),
            (index,),
            run,
            Value(
                axis,
                positions,
                False,
                not depthwise,
                True,
                sources,
                value.is_alike or not depthwise,
            ),
            back=back,
            is_homogeneous=not _has_bias(module),
            windows=None if of_layer is None or value.is_flat else as_windows,
        )
    )
    return raised(reader, new, mean) if mean else new


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


def activation(reader: Reader, node: fx.Node, module: nn.Module) -> int:
    """An elementwise nonlinearity."""
    dual: AbstractActivation = duals[module](module)

    def each(index: int) -> int:
        value = reader.value(index)
        if value.is_gaussian and value.is_centred:
            return activated(reader, index, dual, str(module))
        found = None
        if dual.is_elementwise:
            found = composed(reader, [index], dual.value, node.name, dual.kinks)
        if found is None:
            refuse(
                node,
                f"`{module}` acts on units that are not Gaussian: what comes out of a nonlinearity, "
                "dropout, a product, a depthwise convolution or raw input is in them, and nothing "
                "with weights stands between. Put a layer with weights in between; in a residual "
                "block let the sum be of layers' outputs (pre-activation, or a projection in the "
                "shortcut); dropout may come after the nonlinearity.",
            )
        return found

    return reader.per_part(reader.only_state(node), each)


def dropout(reader: Reader, node: fx.Node, rate: float, *, whole_channels: bool = False) -> int:
    """Masks drawn anew for each input: a unit's variance grows, its covariances stay.

    Args:
        reader: Where the steps are.
        node: The call.
        rate: Share of what is dropped.
        whole_channels: Whether all positions of a channel share their fate.

    Source: Schoenholz et al. 2017 (arXiv:1611.01232), section 5.
    """
    index = reader.only_state(node)
    if rate == 0:
        return index
    value = reader.value(index)
    if whole_channels and (value.channel_axis != 1 or value.is_flat):
        refuse(node, "it drops entries of axis 1, which are no channels here.")
    if rate >= 1:
        refuse(node, f"dropout with rate {rate:g} keeps no unit.")
    keep = 1 - rate

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return _masked(states[0], context, keep, whole_channels)

    value = replace(value, is_gaussian=False)
    return reader.add(Step(f"dropout({rate:g})", (index,), run, value))


def _masked(state: PairState, context: Context, keep: float, whole_channels: bool) -> PairState:
    """One over `keep` where a unit meets itself: the same input at the same position."""
    same = context.same
    if context.second is None:
        same = torch.ones((1, 1), dtype=torch.bool, device=state.cov.device)
    factor: Tensor | float = 1.0
    if same is not None:
        k = len(state.positions)
        if k and state.layout == "pairs" and whole_channels:
            same = same.reshape(*same.shape, *(1,) * (2 * k))
        elif k and state.layout == "pairs":
            total = torch.Size(state.positions).numel()
            eye = torch.eye(total, dtype=torch.bool, device=state.cov.device)
            eye = eye.reshape(*state.positions, *state.positions)
            same = same.reshape(*same.shape, *(1,) * (2 * k)) & (eye | whole_channels)
        else:
            same = same.reshape(*same.shape, *(1,) * k)
        factor = torch.where(same, 1 / keep, 1.0).to(state.cov.dtype)
    ntk = None if state.ntk is None else state.ntk * factor
    masked = replace(state, cov=state.cov * factor, ntk=ntk)
    if state.var1 is None or state.var2 is None:
        return masked
    pair = state.pair
    norms = pair.norms / keep
    return replace(
        masked,
        var1=state.var1 / keep,
        var2=state.var2 / keep,
        apart=torch.where(same, pair.apart / keep, 2 * (norms - pair.cov))
        if same is not None
        else 2 * (norms - pair.cov),
        together=None,
    )


def _ruled(
    node: fx.Node, rule: Any, module: nn.Module, state: PairState, variances: Taken
) -> PairState:
    """The state after a layer; its rule's refusal is given the place."""
    try:
        return rule(module, state, variances)
    except UnsupportedLayerError as error:
        refuse(node, str(error))


def _has_bias(module: nn.Module) -> bool:
    return getattr(module, "bias", None) is not None and bool(getattr(module, "b_std", 1.0) != 0)
