"""Self-attention in the limit of infinitely many heads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import safe_sqrt
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.held_layer import HeldLayer
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.table import Table
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.networks.attention import SelfAttention

__all__ = ["AttendByHand", "AttendByLayer", "AttendByRule", "AttendExactly"]


@dataclass(frozen=True)
class AttendExactly(AbstractOp):
    """`ntkit.networks.SelfAttention`.

    Attributes:
        layer: The layer, whose scores and embeddings are its own.
        hidden: The number of the mask of keys among the points' features; None for none.
        trains: Whether its weights are trained.

    Source: Hron et al. 2020 (arXiv:2006.10540), theorems 3 and 4, and section 4 for embeddings.
    """

    layer: HeldLayer
    hidden: int | None
    trains: bool
    back: Back = field(default="pairs", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    learns_alone: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """By each point's own scores, or by products of covariances."""
        layer, state = self._layer, covariance_only(states[0])
        embedded = _embedded(layer, state)
        values = embedded if layer.embed_values else state
        b = layer.b_std**2 if layer.bias is not None else 0.0
        inner = (layer.query_std * layer.key_std) ** 2
        outer = (layer.value_std * layer.out_std) ** 2
        if layer.scaling == "linear":
            state = _by_maps(values, at, lambda: self._scores(embedded, at))
            weights = Weights(outer, b, 2 * outer, b)
            state = weights.trained(self.trains, self.trains).of(state)
        else:
            seen = self._seen(state.positions, at)
            state = _by_products(state, embedded, values, inner * outer, b, seen)
        return at.settled(state).without_scales()

    @property
    def _layer(self) -> SelfAttention:
        assert isinstance(self.layer.module, SelfAttention)
        return self.layer.module

    def _scores(self, embedded: PairState, at: At) -> Tensor:
        size, layer = prod(embedded.positions), self._layer
        table = embedded.cov[:, 0].reshape(-1, size, size)
        hidden = _hidden(self.hidden, at, size)
        return layer.score(layer.query_std * layer.key_std * table, hidden)

    def _seen(self, positions: tuple[int, ...], at: At) -> Tensor | float:
        """One where both keys of a pair of positions are seen, `[n, m, *positions, *positions]`."""
        if self.hidden is None:
            return 1.0
        left, right = (~hidden.bool() for hidden in at.context.features(self.hidden))
        blank = (1,) * len(positions)
        left = left.reshape(*left.shape[:2], *positions, *blank)
        return (left & right.reshape(*right.shape[:2], *blank, *positions)).double()


@dataclass(frozen=True)
class AttendByLayer(AbstractOp):
    """`nn.MultiheadAttention`: the scores as if queries and keys had the same weights.

    Attributes:
        scores: What the covariance is multiplied by before the softmax.
        hidden: The number of the mask of keys among the points' features; None for none.
        added: What is added to the scores, `[positions, positions]`; None for nothing.
        values: The weights of the values.
        out: Those of the output.
    """

    scores: float
    hidden: int | None
    added: Table | None
    values: Weights
    out: Weights
    back: Back = field(default="pairs", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    learns_alone: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """By each point's own scores."""
        state = covariance_only(states[0])
        state = _by_maps(state, at, lambda: self._softmax(state, at))
        state = self.out.of(self.values.of(state))
        return at.settled(state).without_scales()

    def _softmax(self, state: PairState, at: At) -> Tensor:
        size = prod(state.positions)
        table = self.scores * state.cov[:, 0].reshape(-1, size, size)
        hidden = _hidden(self.hidden, at, size)
        if hidden is not None:
            table = table.masked_fill(hidden, -torch.inf)
        if self.added is not None:
            table = table + self.added.tensor.to(table)
        return table.softmax(-1)


@dataclass(frozen=True)
class AttendByRule(AbstractOp):
    """Attention of a third party's layer.

    Attributes:
        weights: `weights(layer, covariance, hidden)`, from `[n, positions, positions]` of each point.
        hidden: The number of the mask of keys among the points' features; None for none.
        after: What the weights of values and output do, by the layer's rule.
    """

    weights: Callable[[Any, Tensor, Tensor | None], Tensor]
    hidden: int | None
    after: Custom
    back: Back = field(default="pairs", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    learns_alone: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """By each point's own weights, and then the rule."""
        state = covariance_only(states[0])
        state = _by_maps(state, at, lambda: self._weights(state, at))
        return at.settled(self.after.apply((state,), at)).without_scales()

    def _weights(self, state: PairState, at: At) -> Tensor:
        """Those of each point.

        Raises:
            ValueError: They are of another shape.
        """
        size = prod(state.positions)
        table = state.cov[:, 0].reshape(-1, size, size)
        found = self.weights(self.after.layer.module, table, _hidden(self.hidden, at, size))
        got = tuple(found.shape) if isinstance(found, Tensor) else found
        if got != tuple(table.shape):
            raise ValueError(
                f"At {self.after.where}: the attention weights of `{self.name}` must be `[points, queries, keys]`, "
                f"{tuple(table.shape)}, got {got}. Correct `weights=` of "
                "`ntkit.kernels.rules.attention`."
            )
        return found.detach().to(table)


@dataclass(frozen=True)
class AttendByHand(AbstractOp):
    """Attention written out: queries, keys and values of layers of their own, in this order.

    Attributes:
        factor: What the products of queries and keys are multiplied by.
        added: What is added to them, `[positions, positions]`; None for nothing.
    """

    factor: float
    added: Table | None
    back: Back = field(default="pairs", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    learns_alone: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The values by each point's own weights."""
        one, two, three = map(covariance_only, states)
        return at.settled(_by_maps(three, at, lambda: self._softmax(one, two)))

    def _softmax(self, one: PairState, two: PairState) -> Tensor:
        size = prod(self.units.positions)
        first, second = (s.cov[:, 0].reshape(-1, size, size) for s in (one, two))
        table = self.factor * first.sign() * safe_sqrt((first * second).abs())
        return (table if self.added is None else table + self.added.tensor.to(table)).softmax(-1)


def _hidden(number: int | None, at: At, size: int) -> Tensor | None:
    """The mask of keys among the first points' features, `[n, 1, size]`; None for none."""
    if number is None:
        return None
    return at.context.first.features[number].reshape(-1, 1, size).bool()


def _embedded(layer: SelfAttention, state: PairState) -> PairState:
    """The state with the embedding of positions, which is trained along."""
    if layer.embedding == "none":
        return state
    share, own = layer.embedding_shares()
    table = layer.position_covariance(state.positions).to(state.cov)
    ntk = None if state.ntk is None else share * state.ntk + own * table
    return replace(state, cov=share * state.cov + own * table, ntk=ntk)


def _by_maps(state: PairState, at: At, scores: Callable[[], Tensor]) -> PairState:
    """Each point's own attention weights on both sides of the covariance."""
    if at.context.second is None:
        at.context.first.maps[at.place] = scores()
    left, right = at.maps()
    size, shape = prod(state.positions), state.positions

    def on_pairs(table: Tensor) -> Tensor:
        lead = table.shape[:2]
        flat = table.reshape(*lead, size, size)
        return (left @ flat @ right.mT).reshape(*lead, *shape, *shape)

    return state.mixed(on_pairs, shape)


def _by_products(
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
