"""Self-attention in the NTK parametrisation, with the variants whose limit is known."""

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkit._core.checks import (
    entries,
    function,
    non_negative,
    positive,
    positive_int,
    random_source,
)
from ntkit._core.pickling import named_state

__all__ = ["SelfAttention"]

Scores = Literal["softmax", "identity", "abs", "relu"]
Scaling = Literal["linear", "sqrt"]
Embedding = Literal["none", "sum", "concat"]


class SelfAttention(nn.Module):
    """Multi-head dot-product self-attention over all positions, one output layer and bias.

    With `scaling="linear"` queries and keys share their weights and their products are divided by
    the dimension, so that in the limit they are the covariances of the positions; this makes the
    limit exact for any scores. With `scaling="sqrt"` (the usual one) it is exact for identity
    scores alone.

    Args:
        in_channels: Channels that come in, last axis.
        out_channels: Channels that go out.
        n_heads: Heads.
        key_channels: Channels of queries and keys, a head.
        value_channels: Channels of values, a head.
        bias: Whether the output has a bias.
        scores: What turns products of queries and keys into weights.
        scaling: "linear" or "sqrt" of `key_channels`, see above.
        embedding: Whether a random embedding of positions is added, concatenated, or neither.
        embedding_std: Its standard deviation.
        embedding_channels: Its channels when concatenated; `in_channels` if left out.
        embedding_decay: Covariance of two embeddings as a function of the distance of their positions
            (in positions, `sum |difference| ** embedding_power`); none if they are independent.
        embedding_power: Of that distance: 2 is the squared one.
        embed_values: Whether the values see the embedding too.
        positions: Sizes of the position axes; needed with an embedding.
        query_std: Standard deviation that the query weights act with.
        key_std: And the key weights.
        value_std: And the value weights.
        out_std: And the output weights.
        b_std: And the bias.
        generator: Source of the draw; torch's default one if left out.

    Source: Hron et al. 2020 (arXiv:2006.10540); the variants are those of neural-tangents'
    `GlobalSelfAttention`.

    Example:
        >>> layer = SelfAttention(8, 16, n_heads=4, key_channels=8, value_channels=8)
        >>> layer(torch.zeros(2, 5, 8)).shape
        torch.Size([2, 5, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        n_heads: int,
        key_channels: int,
        value_channels: int,
        bias: bool = True,
        *,
        scores: Scores = "softmax",
        scaling: Scaling = "linear",
        embedding: Embedding = "none",
        embedding_std: float = 1.0,
        embedding_channels: int | None = None,
        embedding_decay: Callable[[Tensor], Tensor] | None = None,
        embedding_power: float = 2.0,
        embed_values: bool = False,
        positions: Sequence[int] = (),
        query_std: float = 1.0,
        key_std: float = 1.0,
        value_std: float = 1.0,
        out_std: float = 1.0,
        b_std: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check_choices(scores, scaling, embedding, positions)
        self.in_channels: int = positive_int("in_channels", in_channels)
        self.out_channels: int = positive_int("out_channels", out_channels)
        self.n_heads: int = positive_int("n_heads", n_heads)
        self.key_channels: int = positive_int("key_channels", key_channels)
        self.value_channels: int = positive_int("value_channels", value_channels)
        self.scores: Scores = scores
        self.scaling: Scaling = scaling
        self.embedding: Embedding = embedding
        self.embedding_std: float = non_negative("embedding_std", embedding_std)
        self.embedding_channels: int = (
            self.in_channels
            if embedding_channels is None
            else positive_int("embedding_channels", embedding_channels)
        )
        self.embedding_decay: Callable[[Tensor], Tensor] | None = (
            None if embedding_decay is None else function("embedding_decay", embedding_decay)
        )
        self.embedding_power: float = positive("embedding_power", embedding_power)
        self.embed_values: bool = embed_values and embedding != "none"
        self.positions: tuple[int, ...] = tuple(
            positive_int("positions", size) for size in entries("positions", positions)
        )
        random_source(generator)
        self.query_std: float = positive("query_std", query_std)
        self.key_std: float = positive("key_std", key_std)
        self.value_std: float = positive("value_std", value_std)
        self.out_std: float = positive("out_std", out_std)
        self.b_std: float = non_negative("b_std", b_std)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator))

        wide = in_channels + (self.embedding_channels if embedding == "concat" else 0)
        seen = wide if self.embed_values else in_channels
        self.key: nn.Parameter = draw(n_heads, wide, key_channels)
        self.query: nn.Parameter | None = (
            draw(n_heads, wide, key_channels) if scaling == "sqrt" else None
        )
        self.value: nn.Parameter = draw(n_heads, seen, value_channels)
        self.out: nn.Parameter = draw(n_heads * value_channels, out_channels)
        self.bias: nn.Parameter | None = draw(out_channels) if bias else None
        own = self.embedding_channels if embedding == "concat" else in_channels
        self.embedded: nn.Parameter | None = (
            draw(prod(self.positions), own) if embedding != "none" else None
        )

    def __getstate__(self) -> dict[str, Any]:
        return named_state(self, "embedding_decay")

    def score(self, products: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Attention weights `[..., query, key]` from scaled products; none for `hidden` keys."""
        if hidden is not None:
            nothing = -torch.inf if self.scores == "softmax" else 0.0
            products = products.masked_fill(hidden, nothing)
        if self.scores == "softmax":
            return products.softmax(-1)
        if self.scores == "abs":
            return products.abs()
        return products.relu() if self.scores == "relu" else products

    def embedding_shares(self) -> tuple[float, float]:
        """What the input's covariance and the positions' are multiplied with in their sum."""
        if self.embedding == "sum":
            return 1.0, self.embedding_std**2
        total = self.in_channels + self.embedding_channels
        own = self.embedding_channels / total
        return self.in_channels / total, own * self.embedding_std**2

    def position_covariance(self, positions: Sequence[int]) -> Float[Tensor, "..."]:
        """`[*positions, *positions]`, float64."""
        axes = [torch.arange(size, dtype=torch.float64) for size in positions]
        places = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
        distance = ((places[:, None] - places[None]).abs() ** self.embedding_power).sum(-1)
        decay = self.embedding_decay
        table = (distance == 0).double() if decay is None else decay(distance)
        return table.reshape(*positions, *positions)

    def forward(
        self, x: Float[Tensor, "n ..."], key_padding_mask: Bool[Tensor, "n ..."] | None = None
    ) -> Float[Tensor, "n ..."]:
        """`[n, *positions, in_channels]` to `[n, *positions, out_channels]`.

        Args:
            x: Units.
            key_padding_mask: `[n, *positions]`, true where there is nothing to attend to, as in
                `nn.MultiheadAttention`; what comes out at such places is for the caller to ignore.
        """
        flat = x.flatten(1, -2)
        seen = flat
        if self.embedded is not None:
            root = torch.linalg.cholesky(
                self
                .position_covariance(self.positions)
                .flatten(0, len(self.positions) - 1)
                .flatten(1)
            )
            places = self.embedding_std * (root.to(x) @ self.embedded)
            if self.embedding == "sum":
                flat = flat + places
            else:
                flat = torch.cat([flat, places.expand(len(flat), -1, -1)], -1)
            seen = flat if self.embed_values else seen
        keys = torch.einsum("npc,hck->nhpk", flat, self.key)
        queries = keys if self.query is None else torch.einsum("npc,hck->nhpk", flat, self.query)
        values = torch.einsum("npc,hcv->nhpv", seen, self.value)
        power = 1.0 if self.scaling == "linear" else 0.5
        scale = self.query_std * self.key_std / (flat.shape[-1] * self.key_channels**power)
        hidden = None if key_padding_mask is None else key_padding_mask.flatten(1)[:, None, None]
        weights = self.score(scale * queries @ keys.mT, hidden)
        heads = (weights @ values).transpose(1, 2).flatten(2)
        fan_in = seen.shape[-1] * self.value_channels * self.n_heads
        y = self.value_std * self.out_std / sqrt(fan_in) * heads @ self.out
        if self.bias is not None:
            y = y + self.b_std * self.bias
        return y.reshape(*x.shape[:-1], self.out_channels)

    def extra_repr(self) -> str:
        """Sizes and kind, for `repr`."""
        return (
            f"{self.in_channels}, {self.out_channels}, n_heads={self.n_heads}, "
            f"scores={self.scores!r}, scaling={self.scaling!r}, embedding={self.embedding!r}"
        )


def _check_choices(
    scores: Scores, scaling: Scaling, embedding: Embedding, positions: Sequence[int]
) -> None:
    """Refuse words that are not known, and those that do not go together.

    Raises:
        ValueError: They are refused.
    """
    for name, value, known in (
        ("scores", scores, {"softmax", "identity", "abs", "relu"}),
        ("scaling", scaling, {"linear", "sqrt"}),
        ("embedding", embedding, {"none", "sum", "concat"}),
    ):
        if value not in known:
            raise ValueError(f"`{name}={value!r}` must be one of {sorted(known)}.")
    if scaling == "sqrt" and scores != "identity":
        raise ValueError(
            f'`scaling="sqrt"` has a known limit for `scores="identity"` alone, got {scores!r}. '
            'Use `scaling="linear"`.'
        )
    if embedding != "none" and not positions:
        raise ValueError(f'`embedding="{embedding}"` needs `positions`, their sizes.')
