"""Calls of layers that treat each unit alone; normalisation of units that have means, and of features."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.calls.parameters import trained
from ntkit.kernels.infinite.calls.pointwise import Mean, means_of
from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step
from ntkit.kernels.infinite.trace import refuse

__all__ = ["NORMALISATIONS", "normalised_features", "scaled"]

_BATCH = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMALISATIONS = (nn.LayerNorm, *_BATCH)
"""Layers that take a mean away, or add one."""


def scaled(reader: Reader, node: fx.Node, index: int, trains: tuple[bool, bool]) -> int:
    """A layer with the effect "scaling"."""
    module: Any = reader.layer(node)
    value, place = reader.value(index), len(reader.steps)
    means: list[Mean] = []
    if isinstance(module, NORMALISATIONS) and not value.is_centred:
        found = means_of(reader, [index])
        if found is None or (isinstance(module, nn.LayerNorm) and len(module.normalized_shape) > 1):
            refuse(
                node,
                f"`{module}` acts on units whose mean is not known (pooled, multiplied or dropped "
                "after a nonlinearity, or mixed with raw input). Put a layer with weights before it.",
            )
        means = found
    rule, variances = rules[module], reader.variances

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = replace(states[0], trains=trains)
        try:
            if means and isinstance(module, nn.LayerNorm):
                state = rule(module, _centred(state, states[1:], means), variances)
            elif means:
                state = _batch_norm(module, rule, state, states[1:], means, variances)
            else:
                state = rule(module, state, variances)
        except UnsupportedLayerError as error:
            refuse(node, str(error))
        return replace(state, trains=(True, True))

    has_parameters = any(True for _ in module.parameters())
    own = frozenset({Source(place)}) if has_parameters else frozenset()
    new = replace(
        value,
        is_gaussian=value.is_gaussian and not means,
        is_centred=value.is_centred or isinstance(module, nn.LayerNorm),
        sources=value.sources | own,
    )
    inputs = (index, *(part.base for part in means))
    return reader.add(Step(str(module), inputs, run, new, "variances", is_homogeneous=False))


def normalised_features(reader: Reader, node: fx.Node, argument: fx.Node) -> int:
    """Normalisation of the points' own features, with its weights as they are: nothing is random."""
    module: Any = reader.layer(node)
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) > 1:
        refuse(
            node,
            "it normalises the inputs over several axes with weights of its own. "
            "Use `elementwise_affine=False`.",
        )
    axis = -1 if isinstance(module, nn.LayerNorm) else 1
    weight, bias = module.weight, module.bias

    def hat(z: Tensor) -> Tensor:
        if isinstance(module, nn.LayerNorm):
            return nn.functional.layer_norm(z, z.shape[-1:], eps=module.eps)
        mean, var = module.running_mean.double(), module.running_var.double()
        return (z - mean) * (var + module.eps).rsqrt()

    def whole(z: Tensor) -> Tensor:
        z = hat(z) if weight is None else hat(z) * weight.detach().double()
        return z if bias is None else z + bias.detach().double()

    plain = weight is None or (bool((weight == 1).all()) and (bias is None or not bias.any()))
    name = str(node.target)
    bare = reader.entered(argument, axis, through=(f"{name} hat", hat))
    if weight is None:
        return bare
    full = bare if plain else reader.entered(argument, axis, through=(name, whole))
    own_weight, own_bias = trained(node, module)
    own_bias = own_bias and bias is not None

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = states[0]
        if state.ntk is None:
            return state
        return replace(state, ntk=own_weight * states[-1].cov + float(own_bias))

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
