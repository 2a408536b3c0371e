"""Small networks as they stand, drawn by a seed: with everything that has a gradient."""

from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor, nn

from tests.fuzz import wide
from tests.fuzz.drawing import weighted
from tests.fuzz.habits import HABITS
from tests.fuzz.pieces import LAYERS, C, T

__all__ = ["Finite", "draw"]

Points = Tensor | tuple[Tensor, ...] | dict[str, Tensor]


@dataclass(frozen=True)
class Finite:
    """A network, points and words.

    Attributes:
        module: In eval mode, float64.
        x: Points; the second set shares none with the first.
        x2: More of them.
        words: What it is made of.
    """

    module: nn.Module
    x: Points
    x2: Points
    words: tuple[str, ...]


class Net(nn.Module):
    """What makes tokens of the inputs, pieces, and a read-out."""

    def __init__(
        self, front: nn.Module, pieces: list[nn.Module], head: nn.Module, end: str
    ) -> None:
        super().__init__()
        self.front, self.pieces, self.head, self.end = front, nn.ModuleList(pieces), head, end

    def forward(self, *inputs: Tensor, **named: Tensor) -> Tensor:
        h = self.front(*inputs, **named)
        for piece in self.pieces:
            h = h + piece(h) if self.end == "residual" else piece(h)
        h = torch.tanh(h)
        if self.end == "tokens":
            return self.head(h)
        if self.end == "scalar":
            return self.head(h.mean(1)).sum(-1)
        return self.head(h.flatten(1) if self.head.in_features == T * C else h[:, -1])


class Words(nn.Module):
    """Token ids, and positions."""

    def __init__(self, r: Random) -> None:
        super().__init__()
        self.words = nn.Embedding(7, C, padding_idx=r.choice((None, 0)))
        self.places = nn.Embedding(T, C) if r.random() < 0.5 else None

    def forward(self, ids: Tensor) -> Tensor:
        h = self.words(ids)
        return h if self.places is None else h + self.places(torch.arange(ids.shape[1]))


class Bag(nn.Module):
    """Token ids of a bag, and a number each."""

    def __init__(self, r: Random) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(7, T * C, mode=r.choice(("mean", "sum")))

    def forward(self, ids: Tensor) -> Tensor:
        return self.bag(ids).view(-1, T, C)


class Pair(nn.Module):
    """Two inputs; with a table of words where the second one is a class."""

    def __init__(self, r: Random, *, labelled: bool) -> None:
        super().__init__()
        self.lift = nn.Linear(2, C)
        self.other: nn.Module = nn.Embedding(5, C) if labelled else nn.Linear(3, C)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.lift(x) * torch.sigmoid(self.other(y))[:, None]


class Masked(nn.Module):
    """Tokens, and which of them are there."""

    def __init__(self) -> None:
        super().__init__()
        self.lift = nn.Linear(2, C)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.lift(x).masked_fill(~mask[..., None], 0.0)


def draw(seed: int) -> Finite:
    """The network of a seed."""
    r = Random(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if r.random() < 0.3:
            return _of_any_width(r, seed)
        front, words, sets = _front(r)
        pieces = []
        for _ in range(r.choice((1, 1, 2, 2, 3))):
            table = LAYERS | HABITS
            name = weighted(r, table)
            pieces.append(table[name][1](r))
            words += (_described(pieces[-1]),)
        end = r.choice(("flat", "last", "tokens", "scalar", "residual"))
        head = nn.Linear(T * C if end in {"flat", "residual"} else C, r.choice((1, 2, 3)))
        net = Net(front, pieces, head, end).double().eval()
        _perturb(net)
        words += (end, *_frozen(r, net))
        return Finite(net, *sets, words)


def _of_any_width(r: Random, seed: int) -> Finite:
    """One of the networks that the infinite-width kernels are tried on, at width eight."""
    network = next(n for k in range(100) if _has_one_result(n := wide.draw(100 * seed + k, 8)))
    _perturb(network.module)
    points = [network.points(n, seed + n) for n in (5, 3)]
    sets = points if len(network.inputs) > 1 else [p[0] for p in points]
    return Finite(network.module, *sets, ("wide", *network.words))


def _has_one_result(network: wide.Network) -> bool:
    return "two results" not in network.words


def _front(r: Random) -> tuple[nn.Module, tuple[str, ...], list[Any]]:
    kinds = {
        "tokens": 3,
        "words": 2,
        "bag": 0.5,
        "pair": 1,
        "labelled": 1,
        "masked": 1,
        "by name": 1,
    }
    kind = r.choices(list(kinds), list(kinds.values()))[0]
    ids = lambda n: torch.randint(7, (n, T))  # noqa: E731
    x = lambda n, c=2: torch.randn(n, T, c, dtype=torch.float64)  # noqa: E731
    front, points = {
        "tokens": lambda: (nn.Linear(2, C), x),
        "words": lambda: (Words(r), ids),
        "bag": lambda: (Bag(r), ids),
        "pair": lambda: (Pair(r, labelled=False), lambda n: (x(n), x(n, 3)[:, 0])),
        "labelled": lambda: (Pair(r, labelled=True), lambda n: (x(n), torch.randint(5, (n,)))),
        "masked": lambda: (Masked(), lambda n: (x(n), _mask(n))),
        "by name": lambda: (Pair(r, labelled=False), lambda n: {"x": x(n), "y": x(n, 3)[:, 0]}),
    }[kind]()
    return front, (kind,), [points(5), points(3)]


def _mask(n: int) -> Tensor:
    mask = torch.rand(n, T) < 0.7
    mask[:, 0] = True
    return mask


def _described(piece: nn.Module) -> str:
    return getattr(piece, "words", type(piece).__name__)


@torch.no_grad()
def _perturb(net: nn.Module) -> None:
    """So that no parameter hides at zero or one."""
    for p in net.parameters():
        if p.ndim == 1:
            p += 0.3 * torch.randn_like(p)


def _frozen(r: Random, net: nn.Module) -> tuple[str, ...]:
    """Now and then some parameters do not train."""
    if r.random() > 0.25:
        return ()
    for p in list(net.parameters())[:-1]:
        if r.random() < 0.3:
            p.requires_grad_(False)
    return ("frozen",)
