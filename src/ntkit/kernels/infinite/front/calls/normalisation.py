"""Calls of layers that treat each unit alone, or all units of a point by what they have in common."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.front.calls.known import varies
from ntkit.kernels.infinite.front.calls.parameters import trained
from ntkit.kernels.infinite.front.calls.pointwise import means_of, raised
from ntkit.kernels.infinite.front.reader import Drawn, Reader
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractUnbound
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.ops.bend import Mean
from ntkit.kernels.infinite.program.ops.embed import TrainFeatures
from ntkit.kernels.infinite.program.ops.normalise import Normalise, ScaleWithMeans
from ntkit.kernels.infinite.program.ops.scale import TrainedScale
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.rules.normalisation import own_cross, scale_and_shift
from ntkit.kernels.infinite.rules.registry import Rule
from ntkit.kernels.infinite.rules.variances import Taken, mean_of, mean_square, spread_of

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
    value, ndim = reader.units(index), len(reader.shape(node))
    groups = isinstance(layer, nn.GroupNorm)
    axes = range(1, ndim) if groups else range(ndim - len(layer.normalized_shape), ndim)
    concat = reader.concats.get(index)
    if value.channel_axis not in axes or (groups and value.channel_axis != 1):
        refuse(
            node,
            f"`{layer}` normalises over the axes {list(axes)}, and the channels are at axis "
            f"{value.channel_axis}. Only a mean over the channels has a limit.",
        )
    if groups and layer.num_groups > 1 and varies(reader, index):
        refuse(
            node,
            f"`{layer}` takes each group from some of the channels, and their means differ from channel to "
            "channel (a table, the points' own features). Put a layer with weights before it, or use "
            "`nn.LayerNorm`.",
        )
    if groups and (not value.is_alike or layer.num_groups == layer.num_channels):
        refuse(
            node,
            f"`{layer}` has groups of one channel, or a concatenation whose parts need not fall into "
            "its groups: random means and variances stay random at any width. Use fewer groups, or "
            "`nn.LayerNorm`.",
        )
    parts = concat.parts if concat else (index,)
    if any(reader.units(part).is_flat != value.is_flat for part in parts):
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
    trains = trained(where(node), layer, no_grad=bool(node.meta.get("no_grad")))
    # With a number a position, the mean over all is that of none of them.
    mean = 0.0 if by_position else _mean_of(reader, getattr(layer, "bias", None))

    def each(part: int) -> int:
        old = reader.units(part)
        known = mean if old.is_gaussian and not means else 0.0
        units = replace(
            old,
            is_gaussian=old.is_gaussian and not means,
            is_centred=old.is_centred or not isinstance(layer, nn.RMSNorm),
        )
        step = NormCall(
            str(layer),
            (*parts, *(one.base for one in means)),
            units,
            layer,
            parts.index(part),
            weights,
            averaged,
            tuple(means),
            by_position,
            known != 0,
            bool(node.meta.get("no_grad")),
            where(node),
            back="variances",
            is_homogeneous=False,
        )
        drawn = Drawn(reader.name_of(node), layer, "norm", known)
        new = reader.add(step, drawn, has_weights=trains != (False, False))
        return raised(reader, new, known) if known else new

    return reader.per_part(index, each)


@dataclass(frozen=True)
class NormCall(AbstractUnbound):
    """A call of a normalisation layer.

    Attributes:
        layer: It.
        part: Which part of a concatenation this is; 0 without one.
        shares: Of the parts in all units.
        averaged: Axes of positions over which variances are means.
        means: What is taken off before.
        by_position: Whether each position has scales of its own.
        has_mean: Whether a later step adds the mean of the shifts.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: Normalisation
    part: int
    shares: tuple[float, ...]
    averaged: tuple[int, ...]
    means: tuple[Mean, ...]
    by_position: bool
    has_mean: bool
    no_grad: bool
    where: str

    def bind(self) -> Normalise:
        """Scales and shifts by their mean squares."""
        return Normalise(
            self.name,
            self.inputs,
            self.units,
            self.part,
            self.shares,
            self.averaged,
            self.means,
            _epsilon(self.layer),
            self._scale(),
            self.by_position,
            self.where,
        )

    def _scale(self) -> Weights | None:
        weight, bias = self.layer.weight, getattr(self.layer, "bias", None)
        if weight is None:
            return None
        shift = 0.0
        if bias is not None:
            shift = spread_of(bias) if self.has_mean else mean_square(bias)
        weights = Weights(mean_square(weight), shift, 1.0, 0.0 if bias is None else 1.0)
        return weights.trained(*trained(self.where, self.layer, no_grad=self.no_grad))


def _epsilon(layer: Normalisation) -> float:
    if layer.eps is not None:
        return layer.eps
    weight = layer.weight
    return torch.finfo(torch.get_default_dtype() if weight is None else weight.dtype).eps


def _mean_of(reader: Reader, shift: Tensor | None) -> float:
    """The mean of shifts that a later step is to add."""
    return 0.0 if shift is None or not reader.with_means else mean_of(shift)


def scaled(reader: Reader, node: fx.Node, index: int) -> int:
    """A layer with the effect "scaling"."""
    module: Any = reader.layer(node)
    value = reader.units(index)
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
    known = 0.0
    if isinstance(module, BATCH) and value.is_gaussian and value.is_centred:
        known = _mean_of(reader, scale_and_shift(module)[1])
    step = ScalingCall(
        str(module),
        (index, *(part.base for part in means)),
        replace(value, is_gaussian=value.is_gaussian and not means),
        module,
        rules[module],
        "centred" if known else reader.variances,
        tuple(means),
        bool(node.meta.get("no_grad")),
        where(node),
        back="variances",
        is_homogeneous=False,
    )
    drawn = None
    if isinstance(module, BATCH):
        drawn = Drawn(reader.name_of(node), module, "norm", known)
    new = reader.add(step, drawn, has_weights=any(True for _ in module.parameters()))
    return raised(reader, new, known) if known else new


@dataclass(frozen=True)
class ScalingCall(AbstractUnbound):
    """A call of a layer with the effect "scaling".

    Attributes:
        layer: It.
        rule: What it does to a state.
        variances: Where those of plain layers come from.
        means: Of the units, where they have one.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: nn.Module
    rule: Rule
    variances: Taken
    means: tuple[Mean, ...]
    no_grad: bool
    where: str

    def bind(self) -> AbstractOp:
        """By the numbers of the layer, where its rule says them."""
        layer, variances = self.layer, self.variances
        trains = trained(self.where, layer, no_grad=self.no_grad)
        same = self.name, self.inputs, self.units
        options: dict[str, Any] = {"back": self.back, "is_homogeneous": self.is_homogeneous}
        if self.rule.numbers is None:
            rule = self.rule.apply
            return Custom(*same, layer, rule, variances, trains, False, self.where, **options)
        weights = self.rule.numbers(layer, variances).trained(*trains)
        if not self.means:
            return TrainedScale(*same, weights, **options)
        scale, shift = scale_and_shift(layer)
        own = own_cross(layer) if trains[0] else 0.0
        return ScaleWithMeans(*same, weights, float((scale * shift).mean()), own, self.means)


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
    no_grad = bool(node.meta.get("no_grad"))
    own_weight, own_bias = trained(where(node), module, no_grad=no_grad)
    own_bias = own_bias and bias is not None

    units = replace(reader.units(full), sources=frozenset())
    inputs = (full, bare) if full != bare else (full,)
    op = TrainFeatures(str(module), inputs, units, float(own_weight), float(own_bias))
    return reader.add(op, Drawn(reader.name_of(node), module, "inputs"), has_weights=True)
