"""Calls of layers that treat each unit alone, or all units of a point by what they have in common."""

from dataclasses import dataclass, replace
from typing import Any

from torch import fx, nn

from ntkit.kernels.infinite.front.calls.known import varies
from ntkit.kernels.infinite.front.calls.pointwise import means_of, raised
from ntkit.kernels.infinite.front.calls.scalings import (
    Normalisation,
    epsilon_of,
    mean_of_shift,
    of_features,
)
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.front.trained import trained
from ntkit.kernels.infinite.program.op import AbstractUnbound
from ntkit.kernels.infinite.program.ops.bend import Mean
from ntkit.kernels.infinite.program.ops.normalise import Normalise
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.variances import mean_square, spread_of

__all__ = ["normalised"]


@reads(nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
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
    parts = concat.parts if concat else (index,)
    _check(reader, node, layer, index, parts, axes)
    kept = [k for k in range(1, ndim) if k != value.channel_axis]
    averaged = tuple(kept.index(k) for k in axes if k != value.channel_axis)
    by_position = not groups and any(value.positions[k] > 1 for k in averaged)
    if value.is_flat:
        averaged = tuple(range(len(value.positions)))
    means: list[Mean] = []
    if not (value.is_centred or isinstance(layer, nn.RMSNorm)):
        means = _means(reader, node, layer, index, together=not (averaged or concat))
    weights = concat.weights if concat else (1.0,)
    trains = trained(where(node), layer, no_grad=bool(node.meta.get("no_grad")))
    # With a number a position, the mean over all is that of none of them.
    mean = 0.0 if by_position else mean_of_shift(reader, getattr(layer, "bias", None))

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


def _check(
    reader: Reader, node: fx.Node, layer: Any, index: int, parts: tuple[int, ...], axes: range
) -> None:
    """Refuse axes, groups and parts over which no mean has a limit."""
    value, groups = reader.units(index), isinstance(layer, nn.GroupNorm)
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
    if any(reader.units(part).is_flat != value.is_flat for part in parts):
        refuse(
            node,
            f"`{layer}` acts on flattened positions beside other features. Normalise the parts before "
            "they are concatenated.",
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
            epsilon_of(self.layer),
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
