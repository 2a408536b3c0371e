"""Calls of attention layers, in the limit of infinitely many heads."""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.taken import Drawn, Features
from ntkit.kernels.infinite.front.trace import refuse, where
from ntkit.kernels.infinite.front.trained import trained_at_all
from ntkit.kernels.infinite.program.held_layer import held
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractUnbound
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.ops.attend import AttendByLayer, AttendByRule, AttendExactly
from ntkit.kernels.infinite.program.table import Table
from ntkit.kernels.infinite.program.units import Units
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.kinds import Attends
from ntkit.kernels.infinite.rules.variances import Variances, mean_square
from ntkit.networks.attention import SelfAttention

__all__ = ["approximate", "by_rule", "exact", "warn_of_scores"]


@reads(SelfAttention, of_points=True)
def exact(reader: Reader, node: fx.Node) -> int:
    """`ntkit.networks.SelfAttention`, exactly."""
    bound = dict(zip(("x", "key_padding_mask"), node.args, strict=False)) | dict(node.kwargs)
    return _attention(reader, node, bound["x"], bound.get("key_padding_mask"))


@reads(nn.MultiheadAttention)
def approximate(reader: Reader, node: fx.Node) -> int:
    """`nn.MultiheadAttention`, approximately."""
    names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask")
    bound = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    added = _added_scores(reader, node, bound.get("attn_mask"))
    _check_torch(node, reader.layer(node), bound)
    return _attention(reader, node, bound["query"], bound.get("key_padding_mask"), added)


def by_rule(reader: Reader, node: fx.Node, meaning: Attends) -> int:
    """A third party's layer, by its rule."""
    layer: Any = reader.layer(node)
    names = ("x", "key_padding_mask")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    argument, mask = next(iter(bound.values())), bound.get("key_padding_mask")
    if {*node.all_input_nodes} - {argument, mask}:
        refuse(
            node,
            "attention by a rule takes the units, and at most a mask of keys, `key_padding_mask`.",
        )
    index, units, hidden = _entered(reader, node, argument, mask)
    no_grad = bool(node.meta.get("no_grad"))
    step = RuleCall(
        str(layer),
        (index,),
        units,
        layer,
        meaning,
        reader.variances,
        hidden,
        no_grad,
        where(node),
        back="pairs",
        is_homogeneous=False,
    )
    return reader.add(step, Drawn(reader.name_of(node), layer, "layer"), has_weights=True)


def _entered(
    reader: Reader, node: fx.Node, argument: Any, mask: Any
) -> tuple[int, Units, int | None]:
    """The step whose positions are attended to, the units afterwards, and the number of a mask."""
    assert isinstance(argument, fx.Node)
    index = reader.entered(argument, -1)
    value = reader.units(index)
    if value.channel_axis != len(reader.shape(argument)) - 1 or not value.positions:
        refuse(node, "attention takes units `[n, *positions, channels]`.")
    hidden = reader.take(Features(mask, None)) if isinstance(mask, fx.Node) else None
    return index, Units(value.channel_axis, value.positions, False, True, True, frozenset()), hidden


def _attention(
    reader: Reader, node: fx.Node, argument: Any, mask: Any, added: Tensor | None = None
) -> int:
    """Attention to the positions of one argument.

    Args:
        reader: Where the steps are.
        node: The call.
        argument: The units.
        mask: Of keys that are not seen, from the points; None for none.
        added: What is added to the scores, `[positions, positions]`.
    """
    layer: Any = reader.layer(node)
    index, units, hidden = _entered(reader, node, argument, mask)
    _check_training(node, layer)
    step = AttentionCall(
        str(layer),
        (index,),
        units,
        layer,
        reader.variances,
        hidden,
        None if added is None else Table(added),
        bool(node.meta.get("no_grad")),
        back="pairs",
        is_homogeneous=False,
    )
    return reader.add(step, Drawn(reader.name_of(node), layer, "layer"), has_weights=True)


@dataclass(frozen=True)
class AttentionCall(AbstractUnbound):
    """A call of an attention layer.

    Attributes:
        layer: It.
        variances: Where those of a plain layer come from.
        hidden: The number of the mask of keys among the points' features; None for none.
        added: What is added to the scores, `[positions, positions]`; None for nothing.
        no_grad: Whether it is called where no gradients are taken.
    """

    layer: SelfAttention | nn.MultiheadAttention
    variances: Variances
    hidden: int | None
    added: Table | None
    no_grad: bool

    learns_alone: ClassVar[bool] = True

    def bind(self) -> AbstractOp:
        """Exactly for the layer of `ntkit.networks`; for torch's by its mean squares."""
        layer = self.layer
        trains = not self.no_grad and any(p.requires_grad for p in layer.parameters())
        same = self.name, self.inputs, self.units
        if isinstance(layer, SelfAttention):
            return AttendExactly(*same, held(layer), self.hidden, trains)
        scores, values, out = _numbers(layer, self.variances)
        values, out = (weights.trained(trains, trains) for weights in (values, out))
        return AttendByLayer(*same, scores, self.hidden, self.added, values, out)


@dataclass(frozen=True)
class RuleCall(AbstractUnbound):
    """A call of a third party's attention.

    Attributes:
        layer: The layer.
        meaning: Its weights and its rule.
        variances: Where those of a plain layer come from.
        hidden: The number of the mask of keys among the points' features; None for none.
        no_grad: Whether it is called where no gradients are taken.
        where: What an error calls its place.
    """

    layer: nn.Module
    meaning: Attends
    variances: Variances
    hidden: int | None
    no_grad: bool
    where: str

    learns_alone: ClassVar[bool] = True

    def bind(self) -> AttendByRule:
        """The rule reads the layer where it is applied."""
        same = self.name, self.inputs, self.units
        trains = trained_at_all(self.where, self.layer, no_grad=self.no_grad)
        of_rule = held(self.layer), self.meaning.apply, self.variances, trains, False, self.where
        return AttendByRule(*same, self.meaning.weights, self.hidden, Custom(*same, *of_rule))


def _check_training(node: fx.Node, layer: SelfAttention | nn.MultiheadAttention) -> None:
    """Refuse weights of which some are trained, and scores that cannot be frozen."""
    asks = {p.requires_grad and not node.meta.get("no_grad") for p in layer.parameters()}
    odd = isinstance(layer, SelfAttention) and (
        layer.scaling != "linear" or layer.embedding != "none"
    )
    if len(asks) > 1 or (asks == {False} and odd):
        refuse(
            node,
            f"only some weights of `{layer}` are trained, or none of an attention whose scores are "
            "trained along. Train all of them.",
        )


def _added_scores(reader: Reader, node: fx.Node, given: Any) -> Tensor | None:
    """A mask of pairs of positions as numbers that are added to the scores."""
    if given is None:
        return None
    try:
        table = reader.constant(given)
    except ValueError as error:
        refuse(node, f"{error}: `attn_mask` must be the same for all points.")
    if table.ndim != 2:
        refuse(node, "`attn_mask` must be `[positions, positions]`, the same for all heads.")
    if table.dtype == torch.bool:  # true where nothing is seen
        table = torch.zeros(table.shape, dtype=torch.float64).masked_fill(table, -torch.inf)
    return table


def _numbers(layer: nn.MultiheadAttention, variances: Variances) -> tuple[float, Weights, Weights]:
    """The factor of the scores, and the weights of values and output, in the standard parametrisation.

    The scores are taken as if queries and keys had the same weights.
    """
    e = layer.embed_dim
    assert layer.in_proj_weight is not None
    if variances == "default":  # Xavier's uniform for the stacked [3 e, e], default of nn.Linear
        q = k = v = 6 / (4 * e) / 3
        o = 1 / (3 * e)
        uv = uo = 0.0
    else:
        q, k, v = (mean_square(part) for part in layer.in_proj_weight.chunk(3))
        o = mean_square(layer.out_proj.weight)
        uv = uo = 0.0
        if layer.in_proj_bias is not None:
            uv, uo = mean_square(layer.in_proj_bias[2 * e :]), mean_square(layer.out_proj.bias)
    own_bias = 0.0 if layer.in_proj_bias is None else 1.0
    return (q * k) ** 0.5 * e, Weights(v * e, uv, e, own_bias), Weights(o * e, uo, e, own_bias)


def _check_torch(node: fx.Node, layer: Any, bound: dict[str, Any]) -> None:
    if not bound["query"] is bound.get("key") is bound.get("value"):
        refuse(node, "only self-attention has a rule: query, key and value the same.")
    if not layer.batch_first:
        refuse(node, "only `nn.MultiheadAttention(..., batch_first=True)` has a rule.")
    if layer.bias_k is not None or layer.add_zero_attn or layer.in_proj_weight is None:
        refuse(node, "`add_bias_kv`, `add_zero_attn`, `kdim` and `vdim` have no rule.")
    if layer.training and layer.dropout > 0:
        refuse(node, "dropout of attention weights has no rule. Call `module.eval()`.")
    warn_of_scores()


def warn_of_scores() -> None:
    """Say what softmax attention is taken for."""
    warnings.warn(
        "The infinite-width limit of softmax attention is taken with the identity query-key "
        "covariance approximation (one weight matrix for queries and keys, scores over their "
        "dimension; Hron et al. 2020, section 3.3), not exactly. "
        "`ntkit.networks.SelfAttention` is the network for which it is exact.",
        stacklevel=2,
    )
