"""Networks of any width, drawn by a seed: the same architecture at every width."""

from dataclasses import dataclass
from random import Random
from typing import Literal

import torch
from torch import Tensor, nn

from ntkit.networks import Aggregate
from tests.fuzz.blocks import BLOCKS
from tests.fuzz.drawing import Drawing, Initialisation, weighted
from tests.fuzz.ends import Input, stem, to_vector
from tests.fuzz.nets import Graph, Masked, Net, Skipping, TwoInputs, TwoResults
from tests.fuzz.spatial import MAPS, TOKENS

__all__ = ["Network", "draw"]


@dataclass(frozen=True)
class Network:
    """A network, and what is known of how it was drawn.

    Attributes:
        module: In eval mode, float64; its read-out is called `head`.
        inputs: What it takes.
        initialisation: Of its layers.
        bias_std: Of the biases of plain layers that are not torch's own.
        variances: What `ntk` is asked for.
        gains: See `Drawing`.
        words: What it is made of.
    """

    module: nn.Module
    inputs: tuple[Input, ...]
    initialisation: Initialisation
    bias_std: float
    variances: Literal["measured", "default"]
    gains: dict[int, float]
    words: tuple[str, ...]

    def points(self, n: int, seed: int = 0) -> tuple[Tensor, ...]:
        """`n` points, a tensor for each input."""
        g = torch.Generator().manual_seed(seed)
        return tuple(taken.points(n, g) for taken in self.inputs)


def draw(seed: int, width: int) -> Network:
    """The network of a seed at a width; its choices do not depend on the width."""
    rng = Random(seed)
    how = rng.choice(("ntk", "ntk", "ntk", "ntk", "normal", "normal", "uniform", "torch", "torch"))
    d = Drawing(rng, width, how, bias_std=rng.choice((0.3, 0.3, 0.0)))
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        module, inputs = _made(d)
        _freeze_some(d, module)
    default = how == "torch" and d.chance(0.7)
    words = (how, *d.words)
    return Network(
        *(module.double().eval(), inputs, how, d.bias_std),
        variances="default" if default else "measured",
        gains=d.gains,
        words=words,
    )


def _made(d: Drawing) -> tuple[nn.Module, tuple[Input, ...]]:
    first, inputs = stem(d)
    if d.kind == "tokens" and d.chance(0.3):
        return _of_two_tensors(d, first, inputs)
    skips = d.kind == "vector" and len(inputs) == 1 and d.chance(0.15)
    between: list[nn.Module] = []
    if skips:
        d.words.append("skip")
        between = [d.act(), d.dense(d.channels + inputs[0].shape[0], d.width)]
    body = _body(d)
    body += to_vector(d)
    head = d.dense(d.channels, d.pick(1, 1, 3), bias=d.chance(0.3))
    if skips:
        return Skipping(first, *between, nn.Sequential(*body), head), inputs
    if len(inputs) > 1:
        return TwoInputs(first, nn.Sequential(*body), head), inputs
    if d.chance(0.05):
        d.words.append("two results")
        other = d.dense(d.channels, 2)
        return TwoResults(first, nn.Sequential(*body), head, other), inputs
    if d.chance(0.3):  # one container, as many people write it
        names = {"stem": first, "body": nn.Sequential(*body), "head": head}
        net = nn.Sequential()
        for name, part in names.items():
            net.add_module(name, part)
        return net, inputs
    return Net(first, nn.Sequential(*body), head), inputs


def _body(d: Drawing, *, keeps: bool = False) -> list[nn.Module]:
    """Blocks, and mostly a nonlinearity; `keeps` the positions as they are."""
    body: list[nn.Module] = []
    for _ in range(d.pick(1, 1, 2, 2, 3)):
        own = {"vector": {}, "tokens": TOKENS, "maps": MAPS}[d.kind]
        table = own if own and not keeps and d.chance(0.5) else BLOCKS
        name = weighted(d.rng, table)
        d.words.append(f"[{name}]")
        body += table[name][1](d)
    return body + ([d.act()] if d.chance(0.9) else [])


def _of_two_tensors(
    d: Drawing, first: nn.Module, inputs: tuple[Input, ...]
) -> tuple[nn.Module, tuple[Input, ...]]:
    """Tokens and which of them are there; nodes and the edges between them."""
    t = d.sizes[0]
    d.words.append(kind := d.pick("masked", "graph"))
    body = nn.Sequential(*_body(d, keeps=True))
    head = d.dense(d.channels, 1)
    if kind == "masked":
        return Masked(first, body, head), (*inputs, Input((t,), "mask"))
    return Graph(first, Aggregate(), body, head), (*inputs, Input((t, t), "pattern"))


def _freeze_some(d: Drawing, module: nn.Module) -> None:
    """Now and then some layers do not train; the read-out does."""
    if not d.chance(0.2):
        return
    d.words.append("frozen")
    layers = [m for n, m in module.named_modules() if not n.startswith(("head", "other"))]
    for layer in layers:
        if d.chance(0.4) and not list(layer.children()):
            layer.requires_grad_(False)
