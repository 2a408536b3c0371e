"""Calls of layers that treat each unit alone, or all units of a point by what they have in common."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.calls.parameters import trained
from ntkit.kernels.infinite.calls.pointwise import Mean, means_of, raised
from ntkit.kernels.infinite.reader import Drawn, Reader
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.rules.normalisation import scale_and_shift
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step
from ntkit.kernels.infinite.trace import refuse
from ntkit.kernels.infinite.variances import Taken, mean_of, mean_square, spread_of

__all__ = ["BATCH", "normalised", "of_features", "scaled"]

BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
"""Layers that hold batch statistics."""

Normalisation = nn.LayerNorm | nn.RMSNorm | nn.GroupNorm


def normalised(reader: Reader, node: fx.Node) -> int:
    """Layer, root-mean-square and group normalisation: `cov <- cov / sqrt((var1 + eps)(var2 + eps))`.

    The variances are means over the normalised positions, and over all parts of a concatenation; the
    mean over many centred channels vanishes. Groups stay as many as the width grows, so that each has
    many channels, and then all are alike. Scale and shift contribute `cov + 1`.

    Source: Yang 2019 (arXiv:1902.04760), section 4; Ba et al. 2016 (arXiv:1607.06450), Zhang and
    Sennrich 2019 (arXiv:1910.07467), eq. 4, Wu and He 2018 (arXiv:1803.08494), eq. 7.
    """
    layer: Any = reader.layer(node)
    (argument,) = node.all_input_nodes
    index = reader.states.get(argument)
    if index is None:
        return of_features(reader, node, argument)
    value, ndim = reader.value(index), len(reader.shape(node))
    groups = isinstance(layer, nn.GroupNorm)
    axes = range(1, ndim) if groups else range(ndim - len(layer.normalized_shape), ndim)
    concat = reader.concats.get(index)
    if value.channel_axis not in axes or (groups and value.channel_axis != 1):
        refuse(
            node,
            f"`{layer}` normalises over the axes {list(axes)}, and the channels are at axis "
            f"{value.channel_axis}. Only a mean over the channels has a limit.",
        )
    if groups and (not value.is_alike or layer.num_groups == layer.num_channels):
        refuse(
            node,
            f"`{layer}` has groups of one channel, or a concatenation whose parts need not fall into "
            "its groups: random means and variances stay random at any width. Use fewer groups, or "
            "`nn.LayerNorm`.",
        )
    parts = concat.parts if concat else (index,)
    if any(reader.value(part).is_flat != value.is_flat for part in parts):
        refuse(
            node,
            f"`{layer}` acts on flattened positions beside other features. Normalise the parts before "
            "they are concatenated.",
        )
    kept = [k for k in range(1, ndim) if k != value.channel_axis]
    averaged = tuple(kept.index(k) for k in axes if k != value.channel_axis)
    by_position = not groups and any(value.positions[k] > 1 for k in averaged)
    if value.is_flat:
        averaged = tuple(range(len(value.positions)))
    means: list[Mean] = []
    if not (value.is_centred or isinstance(layer, nn.RMSNorm)):
        found = None if averaged or concat else means_of(reader, [index])
        if found is None:
            refuse(
                node,
                f"`{layer}` takes the mean off units that have one, which is not known here (they "
                "come out of a nonlinearity, or are raw input, and were pooled, multiplied, dropped, "
                "concatenated or normalised over positions). Put a layer with weights before it; "
                "`nn.RMSNorm` may stand anywhere.",
            )
        means = found
    weights = concat.weights if concat else (1.0,)
    trains = trained(node, layer)
    # With a number a position, the mean over all is that of none of them.
    mean = 0.0 if by_position else _mean_of(reader, getattr(layer, "bias", None))

    def each(part: int) -> int:
        which, place, old = parts.index(part), len(reader.steps), reader.value(part)

        def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
            mine, bases = list(states[: len(parts)]), states[len(parts) :]
            if means:
                mine = [_centred(mine[0], bases, means)]
            eps = torch.tensor(_epsilon(layer), dtype=torch.float64)
            first = second = eps.to(mine[0].cov.device)
            for w, s in zip(weights, mine, strict=True):
                first = first + w * _mean_variance(s, averaged, 0)
                second = second + w * _mean_variance(s, averaged, 1)
            state = mine[which].normalised(first, second)
            if layer.weight is None:
                return state
            if by_position and state.layout == "pairs" and len(averaged) < len(state.positions):
                refuse(
                    node,
                    f"`{layer}` has scales of its own at some positions and not at others. "
                    "Use `elementwise_affine=False`, or normalise over all positions or none.",
                )
            return _scaled_and_shifted(layer, replace(state, trains=trains), by_position, known)

        known = mean if old.is_gaussian and not means else 0.0
        new = replace(
            old,
            is_gaussian=old.is_gaussian and not means,
            is_centred=old.is_centred or not isinstance(layer, nn.RMSNorm),
            sources=old.sources
            | (frozenset({Source(place)}) if trains != (False, False) else frozenset()),
        )
        inputs = (*parts, *(part.base for part in means))
        reader.drawn[place] = Drawn(reader.name_of(node), layer, "norm", known)
        step = reader.add(Step(str(layer), inputs, run, new, "variances", is_homogeneous=False))
        return raised(reader, step, known) if known else step

    return reader.per_part(index, each)


def _mean_variance(state: PairState, averaged: tuple[int, ...], which: int) -> Tensor:
    """The variance of the first or second inputs, over the normalised positions."""
    table = (state.var1, state.var2)[which]
    assert table is not None
    k = len(state.positions)
    if not averaged or table.ndim < k + 2:
        return table
    shift = k if which and state.layout == "pairs" else 0
    return table.mean([2 + shift + j for j in averaged], keepdim=True)


def _epsilon(layer: Normalisation) -> float:
    if layer.eps is not None:
        return layer.eps
    weight = layer.weight
    return torch.finfo(torch.get_default_dtype() if weight is None else weight.dtype).eps


def _mean_of(reader: Reader, shift: Tensor | None) -> float:
    """The mean of shifts that a later step is to add."""
    return 0.0 if shift is None or not reader.with_means else mean_of(shift)


def _scaled_and_shifted(
    layer: Normalisation, state: PairState, by_position: bool, mean: float
) -> PairState:
    bias = getattr(layer, "bias", None)
    state = state.trained_scale(
        mean_square(layer.weight),
        0.0 if bias is None else spread_of(bias) if mean else mean_square(bias),
        own_weight=1.0,
        own_bias=0.0 if bias is None else 1.0,
        by_position=by_position,
    )
    return replace(state, trains=(True, True))


def scaled(reader: Reader, node: fx.Node, index: int, trains: tuple[bool, bool]) -> int:
    """A layer with the effect "scaling"."""
    module: Any = reader.layer(node)
    value, place = reader.value(index), len(reader.steps)
    means: list[Mean] = []
    if isinstance(module, BATCH) and not value.is_centred:
        found = means_of(reader, [index])
        if found is None:
            refuse(
                node,
                f"`{module}` acts on units whose mean is not known (pooled, multiplied or dropped "
                "after a nonlinearity, or mixed with raw input). Put a layer with weights before it.",
            )
        means = found
    rule = rules[module]
    known = 0.0
    if isinstance(module, BATCH) and value.is_gaussian and value.is_centred:
        known = _mean_of(reader, scale_and_shift(module)[1])
    variances: Taken = "centred" if known else reader.variances

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = replace(states[0], trains=trains)
        try:
            if means:
                state = _batch_norm(module, rule, state, states[1:], means, variances)
            else:
                state = rule(module, state, variances)
        except UnsupportedLayerError as error:
            refuse(node, str(error))
        return replace(state, trains=(True, True))

    has_parameters = any(True for _ in module.parameters())
    own = frozenset({Source(place)}) if has_parameters else frozenset()
    new = replace(value, is_gaussian=value.is_gaussian and not means, sources=value.sources | own)
    inputs = (index, *(part.base for part in means))
    if isinstance(module, BATCH):
        reader.drawn[place] = Drawn(reader.name_of(node), module, "norm", known)
    step = reader.add(Step(str(module), inputs, run, new, "variances", is_homogeneous=False))
    return raised(reader, step, known) if known else step


def of_features(reader: Reader, node: fx.Node, argument: fx.Node) -> int:
    """Normalisation of the points' own features, with its weights as they are: nothing is random."""
    module: Any = reader.layer(node)
    weight, bias = module.weight, getattr(module, "bias", None)
    if weight is None:  # a feature map
        return reader.entered(node, 1 if isinstance(module, (*BATCH, nn.GroupNorm)) else -1)
    several = not isinstance(module, BATCH) and len(getattr(module, "normalized_shape", (1, 1))) > 1
    if several:
        refuse(
            node,
            "it normalises the inputs over several axes with weights of its own. "
            "Use `elementwise_affine=False` (`affine=False`).",
        )
    axis = 1 if isinstance(module, BATCH) else -1

    def hat(z: Tensor) -> Tensor:
        if isinstance(module, nn.LayerNorm):
            return nn.functional.layer_norm(z, z.shape[-1:], eps=module.eps)
        if isinstance(module, nn.RMSNorm):
            return nn.functional.rms_norm(z, z.shape[-1:], eps=_epsilon(module))
        assert module.running_mean is not None and module.running_var is not None
        mean, var = module.running_mean.double(), module.running_var.double()
        return (z - mean) * (var + module.eps).rsqrt()

    def whole(z: Tensor) -> Tensor:
        z = hat(z) * weight.detach().double()
        return z if bias is None else z + bias.detach().double()

    plain = bool((weight == 1).all()) and (bias is None or not bias.any())
    name = str(node.target)
    bare = reader.entered(argument, axis, through=(f"{name} hat", hat))
    full = bare if plain else reader.entered(argument, axis, through=(name, whole))
    own_weight, own_bias = trained(node, module)
    own_bias = own_bias and bias is not None

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = states[0]
        if state.ntk is None:
            return state
        return replace(state, ntk=own_weight * states[-1].cov + float(own_bias))

    reader.drawn[len(reader.steps)] = Drawn(reader.name_of(node), module, "inputs")
    new = replace(reader.value(full), sources=frozenset({Source(len(reader.steps))}))
    return reader.add(
        Step(str(module), (full, bare) if full != bare else (full,), run, new, is_homogeneous=False)
    )


def _means(bases: tuple[PairState, ...], means: list[Mean]) -> tuple[Tensor, Tensor]:
    first = second = torch.zeros(())
    for base, part in zip(bases, means, strict=True):
        assert base.var1 is not None and base.var2 is not None
        first = first + part.factor * part.mean(base.var1)
        second = second + part.factor * part.mean(base.var2)
    return first, second


def _centred(state: PairState, bases: tuple[PairState, ...], means: list[Mean]) -> PairState:
    """With the mean over many channels taken away."""
    first, second = _means(bases, means)
    assert state.var1 is not None and state.var2 is not None
    return replace(
        covariance_only(state),
        cov=state.cov - first * second,
        var1=state.var1 - first**2,
        var2=state.var2 - second**2,
    )


def _batch_norm(
    layer: Any,
    rule: Any,
    state: PairState,
    bases: tuple[PairState, ...],
    means: list[Mean],
    variances: Any,
) -> PairState:
    """The rule for centred units, and what a mean `m` adds: `E[scale shift] (m + m')`."""
    first, second = _means(bases, means)
    inverse = (layer.running_var.double() + layer.eps).rsqrt()
    mean = layer.running_mean.double()
    scale, shift = inverse, -mean * inverse
    own = 0.0
    if layer.weight is not None:
        weight, bias = layer.weight.detach().double(), layer.bias.detach().double()
        scale, shift = weight * scale, weight * shift + bias
        own = -float((mean * inverse**2).mean()) * state.trains[0]
    cross = float((scale * shift).mean())
    after = rule(layer, state, variances)
    ntk = None if after.ntk is None else after.ntk + own * (first + second)
    assert after.var1 is not None and after.var2 is not None
    return replace(
        covariance_only(after),
        cov=after.cov + cross * (first + second),
        ntk=ntk,
        var1=after.var1 + 2 * cross * first,
        var2=after.var2 + 2 * cross * second,
    )
