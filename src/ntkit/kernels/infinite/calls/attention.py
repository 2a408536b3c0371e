"""Calls of attention layers, in the limit of infinitely many heads."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.reader import Drawn, Reader
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step, Value, settle
from ntkit.kernels.infinite.trace import refuse
from ntkit.kernels.infinite.variances import Variances, mean_square
from ntkit.networks.attention import SelfAttention

__all__ = ["attention", "by_maps", "warn_of_scores"]


def attention(reader: Reader, node: fx.Node) -> int:
    """`ntkit.networks.SelfAttention`, exactly, or `nn.MultiheadAttention`, approximately."""
    layer = reader.layer(node)
    if isinstance(layer, SelfAttention):
        run_of: Callable[..., Any] = _ours
        bound = dict(zip(("x", "key_padding_mask"), node.args, strict=False)) | dict(node.kwargs)
        argument, mask = bound["x"], bound.get("key_padding_mask")
        others = None
    else:
        assert isinstance(layer, nn.MultiheadAttention)
        run_of = _torch
        names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask")
        bound = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
        argument, mask = bound["query"], bound.get("key_padding_mask")
        others = _added_scores(reader, node, bound.get("attn_mask"))
        _check_torch(node, layer, bound)
    assert isinstance(argument, fx.Node)
    index = reader.entered(argument, -1)
    value = reader.value(index)
    if value.channel_axis != len(reader.shape(argument)) - 1 or not value.positions:
        refuse(node, "attention takes units `[n, *positions, channels]`.")
    place = len(reader.steps)
    if isinstance(mask, fx.Node):
        reader.features[place] = mask
        reader.channel_axes[place] = None
    frozen = _is_frozen(node, layer)
    new = Value(value.channel_axis, value.positions, False, True, True, frozenset({Source(place)}))
    reader.drawn[place] = Drawn(reader.name_of(node), layer, "layer")
    inner = run_of(layer, place, reader.variances, isinstance(mask, fx.Node), others)

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        before = replace(states[0], trains=(not frozen, not frozen))
        return replace(inner((before,), context, demand), trains=(True, True), scales=0.0)

    return reader.add(
        Step(str(layer), (index,), run, new, "pairs", is_homogeneous=False, learns_alone=True)
    )


def _is_frozen(node: fx.Node, layer: SelfAttention | nn.MultiheadAttention) -> bool:
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
    return asks == {False}


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


def _ours(
    layer: SelfAttention, place: int, variances: Variances, has_mask: bool, others: Tensor | None
) -> Any:
    """Source: Hron et al. 2020 (arXiv:2006.10540), theorems 3 and 4, and section 4 for embeddings."""

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = covariance_only(states[0])
        embedded = _embedded(layer, state)
        values = embedded if layer.embed_values else state
        b = layer.b_std**2 if layer.bias is not None else 0.0
        inner = (layer.query_std * layer.key_std) ** 2
        outer = (layer.value_std * layer.out_std) ** 2
        if layer.scaling == "linear":
            scores = _scores(layer, place, embedded, context, has_mask=has_mask)
            state = by_maps(values, place, context, scores)
            state = state.affine(outer, b, own_weight=2 * outer, own_bias=b)
        else:
            seen = _seen(place, state.positions, context) if has_mask else 1.0
            state = _by_products(layer, state, embedded, values, inner * outer, b, seen)
        return settle(state, place, context, demand)

    return run


def _embedded(layer: SelfAttention, state: PairState) -> PairState:
    """The state with the embedding of positions, which is trained along."""
    if layer.embedding == "none":
        return state
    share, own = layer.embedding_shares()
    table = layer.position_covariance(state.positions).to(state.cov)
    ntk = None if state.ntk is None else share * state.ntk + own * table
    return replace(state, cov=share * state.cov + own * table, ntk=ntk)


def _scores(
    layer: SelfAttention, place: int, embedded: PairState, context: Context, *, has_mask: bool
) -> Callable[[], Tensor]:
    size = prod(embedded.positions)

    def scores() -> Tensor:
        table = embedded.cov[:, 0].reshape(-1, size, size)
        hidden = context.first.features[place].reshape(-1, 1, size).bool() if has_mask else None
        return layer.score(layer.query_std * layer.key_std * table, hidden)

    return scores


def by_maps(
    state: PairState, place: int, context: Context, scores: Callable[[], Tensor]
) -> PairState:
    """Each point's own attention weights on both sides of the covariance."""
    key = -1 - place  # beside the variances, which are filed under `place`
    if context.second is None:
        context.first.records[key] = scores()
    left, right = context.first_record(key), context.second_record(key)
    size, shape = prod(state.positions), state.positions

    def on_pairs(table: Tensor) -> Tensor:
        lead = table.shape[:2]
        flat = table.reshape(*lead, size, size)
        return (left @ flat @ right.mT).reshape(*lead, *shape, *shape)

    return state.mixed(on_pairs, shape)


def _by_products(
    layer: SelfAttention,
    state: PairState,
    embedded: PairState,
    values: PairState,
    w: float,
    b: float,
    seen: Tensor | float,
) -> PairState:
    """Identity scores over the root of the dimension: products of covariances.

    Source: Hron et al. 2020, theorem 3, eqs. 12 and 13.
    """
    axes = tuple(range(-2 * len(state.positions), 0))
    weight = (seen * embedded.cov * values.cov).sum(axes, keepdim=True)
    cov = w * weight * embedded.cov + b
    ntk = None
    if state.ntk is not None and embedded.ntk is not None and values.ntk is not None:
        moved = embedded.cov * values.ntk + values.cov * embedded.ntk
        moved = (seen * moved).sum(axes, keepdim=True)
        ntk = w * (moved * embedded.cov + weight * (embedded.ntk + 4 * embedded.cov)) + b
    return replace(state, cov=cov, ntk=ntk)


def _seen(place: int, positions: tuple[int, ...], context: Context) -> Tensor:
    """One where both keys of a pair of positions are seen, `[n, m, *positions, *positions]`."""
    left, right = (~hidden.bool() for hidden in context.both_features(place))
    blank = (1,) * len(positions)
    left = left.reshape(*left.shape[:2], *positions, *blank)
    return (left & right.reshape(*right.shape[:2], *blank, *positions)).double()


def _torch(
    layer: nn.MultiheadAttention,
    place: int,
    variances: Variances,
    has_mask: bool,
    others: Tensor | None,
) -> Any:
    """Standard parametrisation; the scores as if queries and keys had the same weights."""
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

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state = covariance_only(states[0])
        size = prod(state.positions)

        def scores() -> Tensor:
            table = (q * k) ** 0.5 * e * state.cov[:, 0].reshape(-1, size, size)
            if has_mask:
                hidden = context.first.features[place].reshape(-1, 1, size).bool()
                table = table.masked_fill(hidden, -torch.inf)
            if others is not None:
                table = table + others.to(table)
            return table.softmax(-1)

        state = by_maps(state, place, context, scores)
        state = state.affine(v * e, uv, own_weight=e, own_bias=own_bias)
        state = state.affine(o * e, uo, own_weight=e, own_bias=own_bias)
        return settle(state, place, context, demand)

    return run


def _check_torch(node: fx.Node, layer: nn.MultiheadAttention, bound: dict[str, Any]) -> None:
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
