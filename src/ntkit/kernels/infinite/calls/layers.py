"""Calls of layers: weights, scalings, activations, dropout."""

from dataclasses import replace

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.activations import AbstractActivation, duals
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Step, Value, settle
from ntkit.kernels.infinite.trace import refuse

__all__ = ["activation", "dropout", "layer"]


def layer(reader: Reader, node: fx.Node) -> int:
    """A layer with a rule."""
    module = reader.layer(node)
    rule = rules[module]
    (argument,) = node.all_input_nodes
    index = reader.entered(argument, rule.channel_axis)
    value, shape = reader.value(index), reader.shape(argument)
    if value.channel_axis != rule.channel_axis % len(shape):
        refuse(
            node,
            f"`{module}` takes its channels from axis {rule.channel_axis} of {tuple(shape)}, which "
            f"holds positions; the channels are at axis {value.channel_axis}. Only weights across "
            "channels have a limit.",
        )
    if rule.effect == "scaling":
        return reader.per_part(index, lambda part: _scaling(reader, module, part))

    out = reader.shape(node)
    axis = rule.channel_axis % len(out)
    positions = tuple(s for k, s in enumerate(out) if k not in {0, axis})
    variances, place = reader.variances, len(reader.steps)
    windows = rule.effect == "windows"

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = rule(module, states[0].read_out(), variances)
        return settle(state, place, context, demand) if windows else state

    back = "windows" if windows else "each" if value.is_flat else "same"
    return reader.add(
        Step(
            str(module),
            (index,),
            run,
            Value(axis, positions, False, True, True, frozenset({place})),
            back=back,
            is_homogeneous=not _has_bias(module),
        )
    )


def _scaling(reader: Reader, module: nn.Module, index: int) -> int:
    rule, variances = rules[module], reader.variances
    value = reader.value(index)
    return reader.apply(
        str(module),
        index,
        lambda state: rule(module, state, variances),
        value,
        back="variances",
        is_homogeneous=False,
    )


def activation(reader: Reader, node: fx.Node, module: nn.Module) -> int:
    """An elementwise nonlinearity."""
    dual: AbstractActivation = duals[module](module)

    def each(index: int) -> int:
        value = reader.value(index)
        if not value.is_gaussian:
            refuse(
                node,
                f"`{module}` acts on units that are not Gaussian (nothing with weights stands "
                "between it and the nonlinearity, dropout, product or raw input before). "
                "Put a layer with weights in between; dropout may come after the nonlinearity.",
            )

        def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
            if context.watch is not None:
                context.watch.see(states[0])
            return states[0].activated(dual, with_variances=demand.variances)

        new = replace(value, is_gaussian=False, is_centred=dual.is_odd)
        homogeneous = dual.is_homogeneous
        return reader.add(Step(str(module), (index,), run, new, "variances", homogeneous))

    return reader.per_part(reader.only_state(node), each)


def dropout(reader: Reader, node: fx.Node, rate: float) -> int:
    """Masks drawn anew for each input: a unit's variance grows, its covariances stay.

    Source: Schoenholz et al. 2017 (arXiv:1611.01232), section 5.
    """
    index = reader.only_state(node)
    if rate == 0:
        return index
    if rate >= 1:
        refuse(node, f"dropout with rate {rate:g} keeps no unit.")
    keep = 1 - rate

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return _masked(states[0], context, keep)

    value = replace(reader.value(index), is_gaussian=False)
    return reader.add(Step(f"dropout({rate:g})", (index,), run, value))


def _masked(state: PairState, context: Context, keep: float) -> PairState:
    """One over `keep` where a unit meets itself: the same input at the same position."""
    same = context.same
    if context.second is None:
        same = torch.ones((1, 1), dtype=torch.bool, device=state.cov.device)
    factor: Tensor | float = 1.0
    if same is not None:
        k = len(state.positions)
        if k and state.layout == "pairs":
            total = torch.Size(state.positions).numel()
            eye = torch.eye(total, dtype=torch.bool, device=state.cov.device)
            eye = eye.reshape(*state.positions, *state.positions)
            same = same.reshape(*same.shape, *(1,) * (2 * k)) & eye
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


def _has_bias(module: nn.Module) -> bool:
    return getattr(module, "bias", None) is not None and bool(getattr(module, "b_std", 1.0) != 0)
