"""Networks of any width, drawn by a seed: the same architecture at every width."""

from dataclasses import dataclass
from random import Random
from typing import Literal

import torch
from torch import Tensor, nn

from ntkit import encodings
from tests.fuzz.blocks import BLOCKS
from tests.fuzz.drawing import Drawing, Parametrisation, normal, weighted
from tests.fuzz.joins import Cat, Does, Total
from tests.fuzz.spatial import MAPS, TOKENS

__all__ = ["Network", "draw"]


@dataclass(frozen=True)
class Network:
    """A network, and what is known of how it was drawn.

    Attributes:
        module: In eval mode, float64; its read-out is called `head`.
        shapes: Of one point, for each input.
        parametrisation: Of its layers.
        variances: What `ntk` is asked for.
        gains: See `Drawing`.
        words: What it is made of.
    """

    module: nn.Module
    shapes: tuple[tuple[int, ...], ...]
    parametrisation: Parametrisation
    variances: Literal["measured", "default"]
    gains: dict[int, float]
    words: tuple[str, ...]

    def points(self, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """`n` points, which have something in common."""
        g = torch.Generator().manual_seed(seed)
        return tuple(
            0.5 * normal(g, 1, *shape) + 0.9 * normal(g, n, *shape) for shape in self.shapes
        )


class Net(nn.Module):
    """Stem, body, the way to one vector, and the read-out; or a skip from the inputs to the end."""

    def __init__(self, stem: nn.Module, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.stem, self.body, self.head = stem, body, head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x)))


class TwoInputs(Net):
    """The same of two inputs, which the stem joins."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.head(self.body(self.stem(x, y)))


class Skipping(nn.Module):
    """The inputs a second time, beside the hidden units, as in NeRF."""

    def __init__(
        self, stem: nn.Module, act: nn.Module, join: nn.Module, body: nn.Module, head: nn.Module
    ) -> None:
        super().__init__()
        self.stem, self.act, self.join, self.body, self.head = stem, act, join, body, head

    def forward(self, x: Tensor) -> Tensor:
        h = torch.cat([self.act(self.stem(x)), x], -1)
        return self.head(self.body(self.join(h)))


def draw(seed: int, width: int) -> Network:
    """The network of a seed at a width; its choices do not depend on the width."""
    rng = Random(seed)
    parametrisation = rng.choice(("ntk", "ntk", "own", "default"))
    d = Drawing(rng, width, parametrisation)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        module, shapes = _made(d)
        _freeze_some(d, module)
    measured = parametrisation == "own" or (parametrisation == "default" and d.chance(0.3))
    variances = "measured" if measured or parametrisation == "ntk" else "default"
    words = (parametrisation, *d.words)
    return Network(module.double().eval(), shapes, parametrisation, variances, d.gains, words)


def _made(d: Drawing) -> tuple[nn.Module, tuple[tuple[int, ...], ...]]:
    stem, shapes = _stem(d)
    skips = d.kind == "vector" and len(shapes) == 1 and d.chance(0.15)
    between: list[nn.Module] = []
    if skips:
        d.words.append("skip")
        between = [d.act(), d.dense(d.channels + shapes[0][0], d.width)]
    body: list[nn.Module] = []
    for _ in range(d.pick(1, 1, 2, 2, 3)):
        table = BLOCKS | {"vector": {}, "tokens": TOKENS, "maps": MAPS}[d.kind]
        name = weighted(d.rng, table)
        d.words.append(f"[{name}]")
        body += table[name][1](d)
    body += [d.act()] if d.chance(0.9) else []
    body += _to_vector(d)
    head = d.dense(d.channels, d.pick(1, 1, 3), bias=d.chance(0.3))
    if skips:
        return Skipping(stem, *between, nn.Sequential(*body), head), shapes
    if len(shapes) == 1 and d.chance(0.3):
        # As one container, the way most people write it.
        names = {"stem": stem, "body": nn.Sequential(*body), "head": head}
        net = nn.Sequential()
        for name, part in names.items():
            net.add_module(name, part)
        return net, shapes
    kind = Net if len(shapes) == 1 else TwoInputs
    return kind(stem, nn.Sequential(*body), head), shapes


def _stem(d: Drawing) -> tuple[nn.Module, tuple[tuple[int, ...], ...]]:
    """The first layer, and the shapes of the inputs."""
    d.kind = d.pick("vector", "vector", "tokens", "maps", "maps")
    few = d.parametrisation != "default"
    if d.kind == "vector":
        return _vector_stem(d, few)
    if d.kind == "tokens":
        d.sizes, d.channels = (d.pick(3, 4, 5),), d.pick(3, 5) if few else 16
        shape = (d.sizes[0], d.channels)
        return d.layer(), (shape,)
    d.sizes, d.channels = d.pick((6,), (8,), (4, 4), (5, 4), (2, 3, 2)), d.pick(2, 3) if few else 8
    shape = (d.channels, *d.sizes)
    return d.layer(keeps=d.chance(0.5)), (shape,)


def _vector_stem(d: Drawing, few: bool) -> tuple[nn.Module, tuple[tuple[int, ...], ...]]:
    d_in = d.pick(2, 3, 4, 6) if few else d.pick(12, 16, 24)
    kind = d.pick("plain", "plain", "plain", "encoded", "two summed", "two side by side")
    if kind == "plain":
        return d.dense(d_in, _set(d)), ((d_in,),)
    d.words.append(kind)
    if kind == "encoded":
        d_in = d.pick(1, 2, 3)
        g = torch.Generator().manual_seed(d.rng.randrange(10**6))
        encoding = d.pick(
            encodings.Gaussian(d_in, 16, d.pick(0.3, 1.0), g),
            encodings.Positional(d_in, 6, 4.0),
            encodings.NeRF(d_in, 4, include_input=d.chance(0.5)),
        )
        return nn.Sequential(encoding, d.dense(encoding.out_dim, _set(d))), ((d_in,),)
    other = d_in + 1
    if kind == "two summed":
        return Total(d.dense(d_in, d.width), d.dense(other, _set(d))), ((d_in,), (other,))
    parts = [nn.Sequential(d.dense(n, d.width), d.act()) for n in (d_in, other)]
    stem = Cat(-1, *parts)
    return _Then(stem, d.dense(2 * d.width, _set(d))), ((d_in,), (other,))


class _Then(nn.Module):
    """A layer after a stem of two inputs."""

    def __init__(self, stem: nn.Module, layer: nn.Module) -> None:
        super().__init__()
        self.stem, self.layer = stem, layer

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.layer(self.stem(x, y))


def _set(d: Drawing) -> int:
    d.channels = d.width
    return d.width


def _to_vector(d: Drawing) -> list[nn.Module]:
    """From positions to one vector."""
    if d.kind == "vector":
        return []
    if d.kind == "tokens":
        how = d.pick("mean", "mean", "first", "flat", "sum")
        d.words.append(how)
        if how == "flat":
            d.channels *= d.positions
        return {
            "mean": [Does(lambda x: x.mean(1), "x.mean(1)")],
            "first": [Does(lambda x: x[:, 0], "x[:, 0]")],
            "flat": [Does(lambda x: x.flatten(1), "x.flatten(1)")],
            "sum": [Does(lambda x: x.sum(dim=-2) / 2, "x.sum(-2) / 2")],
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


def _freeze_some(d: Drawing, module: nn.Module) -> None:
    """Now and then some layers do not train; the read-out does."""
    if not d.chance(0.2):
        return
    d.words.append("frozen")
    layers = [m for n, m in module.named_modules() if not n.startswith("head")]
    for layer in layers:
        if d.chance(0.4) and not list(layer.children()):
            layer.requires_grad_(False)
