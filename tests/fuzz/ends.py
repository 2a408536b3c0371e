"""The first layers and the inputs of a network, and the way from positions to one vector at its end."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ntkit import encodings
from tests.fuzz.drawing import Drawing, normal
from tests.fuzz.joins import Cat, Does, Total
from tests.fuzz.nets import Then

__all__ = ["Input", "stem", "to_vector"]

Fill = Literal["normal", "mask", "pattern"]


@dataclass(frozen=True)
class Input:
    """What a network takes.

    Attributes:
        shape: Of one point.
        fill: Normal numbers, zeros and ones, or the weights between the nodes of a graph.
    """

    shape: tuple[int, ...]
    fill: Fill = "normal"

    def points(self, n: int, g: torch.Generator) -> Tensor:
        """`n` of them, which have something in common."""
        x = 0.5 * normal(g, 1, *self.shape) + 0.9 * normal(g, n, *self.shape)
        if self.fill == "normal":
            return x
        if self.fill == "mask":
            return (x > -0.5).double().index_fill(1, torch.tensor([0]), 1.0)
        return ((x + x.mT) > 0).double() / self.shape[0]


def stem(d: Drawing) -> tuple[nn.Module, tuple[Input, ...]]:
    """The first layer, and the inputs."""
    d.kind = d.pick("vector", "vector", "tokens", "tokens", "maps", "maps")
    if d.kind == "vector":
        return _of_vectors(d)
    if d.kind == "tokens":
        d.sizes, d.channels = (d.pick(3, 4, 5),), d.pick(3, 5) if d.takes_few else 16
        shape = (d.sizes[0], d.channels)
        return d.layer(), (Input(shape),)
    d.sizes = d.pick((6,), (8,), (4, 4), (5, 4), (2, 3, 2))
    d.channels = d.pick(2, 3) if d.takes_few else 8
    shape = (d.channels, *d.sizes)
    return d.layer(keeps=d.chance(0.5)), (Input(shape),)


def _of_vectors(d: Drawing) -> tuple[nn.Module, tuple[Input, ...]]:
    n = d.pick(2, 3, 4, 6) if d.takes_few else d.pick(12, 16, 24)
    kind = d.pick("plain", "plain", "plain", "normed", "encoded", "two summed", "two side by side")
    if kind == "plain":
        return d.first(n), (Input((n,)),)
    d.words.append(kind)
    if kind == "normed":
        norm = d.pick(
            nn.LayerNorm(n, elementwise_affine=False), nn.RMSNorm(n, elementwise_affine=False)
        )
        return nn.Sequential(norm, d.first(n)), (Input((n,)),)
    if kind == "encoded":
        n = d.pick(1, 2, 3)
        g = torch.Generator().manual_seed(d.rng.randrange(10**6))
        encoding = d.pick(
            encodings.Gaussian(n, 16, d.pick(0.3, 1.0), g),
            encodings.Positional(n, 6, 4.0),
            encodings.NeRF(n, 4, include_input=d.chance(0.5)),
        )
        return nn.Sequential(encoding, d.first(encoding.out_dim)), (Input((n,)),)
    inputs = Input((n,)), Input((n + 1,))
    if kind == "two summed":
        return Total(d.dense(n, d.width), d.first(n + 1)), inputs
    parts = [nn.Sequential(d.dense(k, d.width), d.act()) for k in (n, n + 1)]
    return Then(Cat(-1, *parts), d.first(2 * d.width)), inputs


def to_vector(d: Drawing) -> list[nn.Module]:
    """From positions to one vector."""
    if d.kind == "vector":
        return []
    if d.kind == "tokens":
        how = d.pick("mean", "mean", "first", "flat", "sum", "each")
        d.words.append(how)
        if how == "flat":
            d.channels *= d.positions
        return {
            "mean": [Does(lambda x: x.mean(1), "x.mean(1)")],
            "first": [Does(lambda x: x[:, 0], "x[:, 0]")],
            "flat": [Does(lambda x: x.flatten(1), "x.flatten(1)")],
            "sum": [Does(lambda x: x.sum(dim=-2) / 2, "x.sum(-2) / 2")],
            "each": [],
        }[how]
    how = d.pick("mean", "adaptive", "flat", "flat view", "one")
    d.words.append(how)
    places, axes = (0,) * len(d.sizes), (2, 3, 4)[: len(d.sizes)]
    pools = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
    if how in {"flat", "flat view"}:
        d.channels *= d.positions
    return {
        "mean": [Does(lambda x: x.mean(dim=axes), "mean of positions")],
        "adaptive": [pools[len(d.sizes) - 1](1), nn.Flatten()],
        "flat": [nn.Flatten()],
        "flat view": [Does(lambda x: x.reshape(x.shape[0], -1), "x.reshape(n, -1)")],
        "one": [Does(lambda x: x[(slice(None), slice(None), *places)], "one position")],
    }[how]
