"""Self-attention: scores, scalings, embeddings of positions, transformers."""

from typing import Any

import torch
from torch import Tensor, nn

from ntkit.networks import SelfAttention
from ntkit.networks.activations import Erf
from tests.kernels.infinite.zoo.base import Apply, B, Example, add, chain, conv, dense, join

__all__ = ["ATTENTION", "attention"]

SCORES = ("softmax", "identity", "abs", "relu")


def attention(scores: Any = "softmax", n_in: int = 8, b: float | None = B, **options: Any) -> Any:
    return SelfAttention(
        n_in,
        8,
        2,
        4,
        4,
        b is not None,
        scores=scores,
        key_std=1.2,
        value_std=1.1,
        query_std=0.9,
        out_std=1.3,
        b_std=b or 0.0,
        **options,
    )


def decay(distance: Tensor) -> Tensor:
    return torch.exp(-0.3 * distance)


def seq(*parts: Any) -> Example:
    return Example(("seq",), lambda: chain(*[make() for make in parts]))


def gap() -> nn.Module:
    return chain(Apply(lambda x: x.flatten(1, -2).mean(1)), dense(8, 1))


def flat(places: int = 7) -> nn.Module:
    return chain(nn.Flatten(), dense(8 * places, 1))


def norm() -> nn.Module:
    return nn.LayerNorm(8, 1e-12, elementwise_affine=False)


def pixels() -> nn.Module:
    return chain(conv(2, (2, 2)))


def channels_last() -> nn.Module:
    return Apply(lambda x: x.permute(0, 2, 3, 1))


def transformer() -> nn.Module:
    parts: list[nn.Module] = []
    for _ in range(2):
        parts.append(join(add, nn.Identity(), chain(norm(), attention())))
        parts.append(join(add, nn.Identity(), chain(norm(), dense(8), nn.GELU(), dense(8))))
    return chain(dense(3), *parts, norm(), gap())


def embedded(scores: Any, kind: str, values: bool, **options: Any) -> Example:
    return seq(
        lambda: dense(3),
        lambda: attention(
            scores,
            embedding=kind.lower(),
            embedding_std=0.7,
            embed_values=values,
            positions=(7,),
            **options,
        ),
        nn.ReLU,
        gap,
    )


ATTENTION: dict[str, Example] = {
    **{
        f"attend_{s.upper()}": seq(lambda: dense(3), lambda s=s: attention(s), nn.ReLU, flat)
        for s in SCORES
    },
    **{
        f"attend_{s.upper()}_relu_in": seq(
            lambda: dense(3), Erf, lambda s=s: attention(s, b=None), Erf, gap
        )
        for s in SCORES
    },
    **{
        f"attend_{s.upper()}_{kind}_{values}": embedded(s, kind, values)
        for s in SCORES
        for kind in ("SUM", "CONCAT")
        for values in (False, True)
    },
    **{
        f"attend_sqrt_{kind}_{values}": embedded("identity", kind, values, scaling="sqrt")
        for kind in ("SUM", "CONCAT")
        for values in (False, True)
    },
    "attend_sqrt": seq(
        lambda: dense(3), nn.ReLU, lambda: attention("identity", scaling="sqrt"), nn.ReLU, gap
    ),
    "attend_decay": seq(
        lambda: dense(3),
        lambda: attention(embedding="sum", embedding_decay=decay, positions=(7,)),
        nn.ReLU,
        flat,
    ),
    "attend_decay_norm1": seq(
        lambda: dense(3),
        lambda: attention(
            embedding="concat",
            embedding_decay=decay,
            embedding_power=1.0,
            embedding_channels=3,
            embed_values=True,
            positions=(7,),
        ),
        nn.ReLU,
        flat,
    ),
    "attend_pixels": Example(
        ("img",),
        lambda: chain(pixels(), nn.ReLU(), channels_last(), attention("relu"), nn.ReLU(), flat(12)),
        channels_first=True,
    ),
    "attend_pixels_decay": Example(
        ("img",),
        lambda: chain(
            pixels(),
            nn.ReLU(),
            channels_last(),
            attention(embedding="sum", embedding_decay=decay, positions=(4, 3)),
            nn.ReLU(),
            gap(),
        ),
        channels_first=True,
    ),
    "transformer": seq(transformer),
    "attend_inputs": seq(lambda: attention("identity", 3), nn.ReLU, gap),
}
