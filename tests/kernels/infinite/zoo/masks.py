"""Sequences of different lengths: filled up with zeros, beside which places are real."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.kernels.infinite.zoo.attention import attention, norm
from tests.kernels.infinite.zoo.base import Example, conv, dense

__all__ = ["MASKS"]


class Masked(nn.Module):
    """A forward of layers, points and `[n, t, 1]` ones at the real places."""

    def __init__(self, layers: dict[str, nn.Module], call: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layers, self.call = nn.ModuleDict(layers), call

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        return self.call(self.layers, x, real)


def pooled(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    y = torch.relu(layers["first"](x)) * real
    return layers["last"](y.sum(1) / real.sum(1))


def summed(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    return layers["last"]((torch.relu(layers["first"](x)) * real).sum(1))


def convolved(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    places = real.mT
    y = layers["first"](x.mT).relu() * places
    y = layers["second"](y).relu() * places
    return layers["last"](y.sum(2) / places.sum(2))


def flattened(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    y = layers["second"](layers["first"](x).relu()).relu() * real
    return layers["last"](y.flatten(1))


def normalised(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    y = torch.relu(layers["norm"](layers["first"](x))) * real
    return layers["last"](y.sum(1) / real.sum(1))


def attended(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    y = layers["attention"](layers["first"](x), key_padding_mask=real[..., 0] == 0)
    return layers["last"]((torch.relu(y) * real).sum(1) / real.sum(1))


def transformed(layers: Any, x: Tensor, real: Tensor) -> Tensor:
    hidden = (real == 0).squeeze(2)
    y = layers["first"](x)
    y = y + layers["attention"](layers["norm"](y), hidden)
    y = y + layers["out"](torch.relu(layers["in"](layers["norm2"](y))))
    return layers["last"]((y * real).sum(1) / real.sum(1))


def ragged(
    call: Callable[..., Tensor], n_last: int = 8, **layers: Callable[[], nn.Module]
) -> Example:
    def make() -> nn.Module:
        first = layers.get("first", lambda: dense(3))()
        made = {k: build() for k, build in layers.items() if k != "first"}
        return Masked({"first": first, **made, "last": dense(n_last, 1)}, call)

    return Example(("ragged",), make, masked=True)


def same(n_in: int) -> nn.Module:
    return conv(n_in, (3,), border="SAME", size=(7,))


MASKS: dict[str, Example] = {
    "mask_gap": ragged(pooled),
    "mask_sum": ragged(summed),
    "mask_conv": ragged(convolved, first=lambda: same(3), second=lambda: same(8)),
    "mask_flat": ragged(flattened, 56, second=lambda: dense(8)),
    "mask_layernorm": ragged(normalised, norm=norm),
    **{
        f"mask_attend_{s.upper()}": ragged(attended, attention=lambda s=s: attention(s))
        for s in ("softmax", "identity", "abs", "relu")
    },
    "mask_attend_embedded": ragged(
        attended,
        attention=lambda: attention(embedding="sum", embedding_std=0.7, positions=(7,)),
    ),
    "mask_transformer": ragged(
        transformed,
        attention=attention,
        norm=norm,
        norm2=norm,
        **{"in": lambda: dense(8), "out": lambda: dense(8)},
    ),
}
