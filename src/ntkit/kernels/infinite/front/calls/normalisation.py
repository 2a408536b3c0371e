"""Calls of layers that treat each unit alone, or all units of a point by what they have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from torch import fx, nn

from ntkit.kernels.infinite.front.calls.known import varies
from ntkit.kernels.infinite.front.calls.pointwise import means_of, raised
from ntkit.kernels.infinite.front.calls.scalings import mean_of_shift, of_features
from ntkit.kernels.infinite.front.reader import Reader
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.program.op import AbstractUnbound
from ntkit.kernels.infinite.program.ops.bend import Mean
from ntkit.kernels.infinite.program.ops.normalise import Normalise
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.kinds import Norm, Normalises, NormOf
from ntkit.kernels.infinite.rules.variances import mean_square, spread_of

__all__ = ["normalised"]


def normalised(reader: Reader, node: fx.Node, meaning: Normalises) -> int:
    """Units over the root of their mean square: `cov <- cov / sqrt((var1 + eps)(var2 + eps))`.

    The variances are means over the normalised positions, and over all parts of a concatenation; the
    mean over many centred channels vanishes. Groups stay as many as the width grows, so that each has
    many channels, and then all are alike. Scale and shift contribute `cov + 1`.

    Source: Yang 2019 (arXiv:1902.04760), section 4; each layer's own stands at its rule.
    """
    layer: Any = reader.layer(node)
    norm = meaning.norm(layer)
    if not isinstance(norm, Norm):
        refuse(node, f"what is filed for `{layer}` must give a `ntkit.kernels.Norm`, got {norm!r}.")
    (argument,) = node.all_input_nodes
    index = reader.states.get(argument)
    if index is None:
        return of_features(reader, node, argument)
    value, ndim = reader.units(index), len(reader.shape(node))
    axes = _axes(node, layer, norm, ndim)
    concat = reader.concats.get(index)
    parts = concat.parts if concat else (index,)
    _check_axes(reader, node, meaning, index, axes)
    _check_groups(reader, node, norm, index, parts)
    _check_sizes(node, layer, norm, reader.shape(argument), axes, value.channel_axis)
    _check_numbers(node, layer, norm, n_channels=reader.shape(node)[value.channel_axis])
    kept = [k for k in range(1, ndim) if k != value.channel_axis]
    averaged = tuple(kept.index(k) for k in axes if k != value.channel_axis)
    many = norm.scale is not None and norm.scale.numel() > reader.shape(node)[value.channel_axis]
    by_position = many and any(value.positions[k] > 1 for k in averaged)
    if value.is_flat:
        averaged = tuple(range(len(value.positions)))
    means: list[Mean] = []
    if norm.takes_mean and not value.is_centred:
        means = _means(reader, node, layer, index, together=not (averaged or concat))
    weights = concat.weights if concat else (1.0,)
    no_grad = bool(node.meta.get("no_grad"))
    trains = not no_grad and any(norm.trains)
    # With a number a position, the mean over all is that of none of them.
    mean = 0.0 if by_position else mean_of_shift(reader, norm.shift)

    def each(part: int) -> int:
        old = reader.units(part)
        known = mean if old.is_gaussian and not means else 0.0
        units = replace(
            old,
            is_gaussian=old.is_gaussian and not means,
            is_centred=old.is_centred or norm.takes_mean,
        )
        step = NormCall(
            str(layer),
            (*parts, *(one.base for one in means)),
            units,
            layer,
            meaning.norm,
            parts.index(part),
            weights,
            averaged,
            tuple(means),
            by_position,
            known != 0,
            no_grad,
            where(node),
            back="variances",
            is_homogeneous=False,
        )
        drawn = Drawn(reader.name_of(node), layer, "norm", known)
        new = reader.add(step, drawn, has_weights=trains)
        return raised(reader, new, known) if known else new

    return reader.per_part(index, each)


def _axes(node: fx.Node, layer: nn.Module, norm: Norm, ndim: int) -> Sequence[int]:
    """The axes of a norm, counted from the first."""
    if norm.axes is None:
        return range(1, ndim)
    found = sorted({k % ndim for k in norm.axes})
    if any(not -ndim <= k < ndim for k in norm.axes) or 0 in found:
        refuse(
            node,
            f"`{layer}` is filed with the axes {norm.axes}, and its input has {ndim}, of which the first "
            "counts the points. Correct `Norm(axes=...)`.",
        )
    return found


def _check_sizes(
    node: fx.Node,
    layer: nn.Module,
    norm: Norm,
    shape: Sequence[int],
    axes: Sequence[int],
    axis: int,
) -> None:
    """Refuse groups and numbers that do not fit the units."""
    count = shape[axis]
    if norm.groups is not None and count % norm.groups:
        refuse(
            node,
            f"`{layer}` is filed with {norm.groups} groups, which do not divide its {count} channels. "
            "Correct `Norm(groups=...)`.",
        )
    sizes = {1, count, prod(shape[k] for k in axes)}
    for name, number in (("scale", norm.scale), ("shift", norm.shift)):
        if number is not None and number.numel() not in sizes:
            refuse(
                node,
                f"`{layer}` is filed with a {name} of shape {tuple(number.shape)}, which holds no number for "
                f"each of {count} channels. Correct `Norm({name}=...)`.",
            )


def _check_axes(
    reader: Reader, node: fx.Node, meaning: Normalises, index: int, axes: Sequence[int]
) -> None:
    """Refuse axes over which no mean has a limit."""
    axis, expected = reader.units(index).channel_axis, meaning.channel_axis
    elsewhere = expected is not None and axis != expected % len(reader.shape(node))
    if axis not in axes or elsewhere:
        refuse(
            node,
            f"`{reader.layer(node)}` normalises over the axes {list(axes)}, and the channels are at axis "
            f"{axis}. Only a mean over the channels has a limit.",
        )


def _check_groups(
    reader: Reader, node: fx.Node, norm: Norm, index: int, parts: tuple[int, ...]
) -> None:
    """Refuse groups and parts of which no mean has a limit."""
    value, layer = reader.units(index), reader.layer(node)
    if norm.groups is not None and norm.groups > 1 and varies(reader, index):
        refuse(
            node,
            f"`{layer}` takes each group from some of the channels, and their means differ from channel to "
            "channel (a table, the points' own features). Put a layer with weights before it, or use "
            "`nn.LayerNorm`.",
        )
    alone = norm.groups == reader.shape(node)[value.channel_axis]
    if norm.groups is not None and (not value.is_alike or alone):
        refuse(
            node,
            f"`{layer}` has groups of one channel, or a concatenation whose parts need not fall into "
            "its groups: random means and variances stay random at any width. Use fewer groups, or "
            "`nn.LayerNorm`.",
        )
    if any(reader.units(part).is_flat != value.is_flat for part in parts):
        refuse(
            node,
            f"`{layer}` acts on flattened positions beside other features. Normalise the parts before "
            "they are concatenated.",
        )


def _check_numbers(node: fx.Node, layer: nn.Module, norm: Norm, *, n_channels: int) -> None:
    """Refuse trained numbers of which nobody knows what they add to the tangent kernel."""
    if node.meta.get("no_grad"):
        return
    numbers = [t for t in (norm.scale, norm.shift) if t is not None]
    for name, parameter in layer.named_parameters():
        own = any(parameter is number for number in numbers)
        few = own and parameter.numel() < n_channels
        if parameter.requires_grad and (few or not own):
            why = "one number of several channels" if few else "neither its scale nor its shift"
            refuse(
                node,
                f"`{name}` of `{layer}` is trained, and is {why}: what it adds to the tangent kernel does not "
                "settle with the width, or is not known. Freeze it (`requires_grad_(False)`).",
            )


def _means(reader: Reader, node: fx.Node, layer: Any, index: int, *, together: bool) -> list[Mean]:
    """What is taken off units that are not centred; refused where it is not known."""
    found = means_of(reader, [index]) if together else None
    if found is None:
        refuse(
            node,
            f"`{layer}` takes the mean off units that have one, which is not known here (they "
            "come out of a nonlinearity, or are raw input, and were pooled, multiplied, dropped, "
            "concatenated or normalised over positions). Put a layer with weights before it; "
            "`nn.RMSNorm` may stand anywhere.",
        )
    return found


@dataclass(frozen=True)
class NormCall(AbstractUnbound):
    """A call of a normalisation layer.

    Attributes:
        layer: It.
        norm: What it divides by, at present.
        part: Which part of a concatenation this is; 0 without one.
        shares: Of the parts in all units.
        averaged: Axes of positions over which variances are means.
        means: What is taken off before.
        by_position: Whether each position has scales of its own.
        has_mean: Whether a later step adds the mean of the shifts.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: nn.Module
    norm: NormOf
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
        norm = self.norm(self.layer)
        return Normalise(
            self.name,
            self.inputs,
            self.units,
            self.part,
            self.shares,
            self.averaged,
            self.means,
            norm.epsilon,
            self._scale(norm),
            self.by_position,
            self.where,
        )

    def _scale(self, norm: Norm) -> Weights | None:
        weight, bias = norm.scale, norm.shift
        if weight is None and bias is None:
            return None
        square, own_weight = (1.0, 0.0) if weight is None else (mean_square(weight), 1.0)
        shift = 0.0
        if bias is not None:
            shift = spread_of(bias) if self.has_mean else mean_square(bias)
        weights = Weights(square, shift, own_weight, 0.0 if bias is None else 1.0)
        trains_scale, trains_shift = norm.trains
        return weights.trained(trains_scale and not self.no_grad, trains_shift and not self.no_grad)
