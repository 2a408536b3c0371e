"""Networks of many kinds with inputs for them, for tests of expansions and probes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.networks import Linear
from tests.cases import randn, seeded


class TiedLanguageModel(nn.Module):
    """Embedding, a nonlinearity, and the embedding again as read-out; a position parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.position = nn.Parameter(randn(5, 4, seed=3))
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = torch.tanh(self.embedding(tokens) + self.position)
        if mask is not None:
            hidden = hidden * mask[..., None]
        return self.head(hidden)


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.cell = kind(3, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x)[0][:, -1]


class SkipNet(nn.Module):
    """Down, up, and across; one layer is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(2, 4, 3, stride=2, padding=1, groups=2)
        self.same = nn.Conv1d(4, 4, 3, padding=1)
        self.up = nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        low = self.same(nn.functional.silu(self.same(self.down(x))))
        return torch.cat([x, self.up(low)], dim=1)


class ManyForms(nn.Module):
    """Outputs as a dictionary of a tensor, whole numbers, a tuple and a plain value."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor, *, scale: Tensor) -> dict[str, Any]:
        out = torch.tanh(self.layer(x)) * scale
        return {"logits": out, "class": out.argmax(-1), "pair": (out.sum(-1), None), "name": "net"}


def perceptron() -> nn.Sequential:
    g = seeded(1)
    return nn.Sequential(Linear(3, 5, generator=g), nn.Tanh(), Linear(5, 2, generator=g))


def convolutional() -> nn.Sequential:
    body = [nn.Conv2d(2, 4, 3, stride=2, groups=2), nn.BatchNorm2d(4), nn.GELU()]
    net = nn.Sequential(*body, nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(16, 2)).double()
    net(randn(8, 2, 5, 5, seed=2))  # running statistics of its own
    return net


def encoder() -> nn.Module:
    return nn.TransformerEncoderLayer(4, 2, 6, batch_first=True, activation="gelu")


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "perceptron": (perceptron, lambda: randn(3, 3)),
    "convolutional": (convolutional, lambda: randn(2, 2, 5, 5)),
    "encoder": (encoder, lambda: randn(2, 3, 4)),
    "tied": (TiedLanguageModel, lambda: torch.tensor([[0, 1, 2, 1, 6], [3, 3, 5, 4, 0]])),
    "gru": (lambda: Recurrent(nn.GRU), lambda: randn(2, 4, 3)),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda: randn(2, 4, 3)),
    "skip": (SkipNet, lambda: randn(2, 2, 8)),
    "weight norm": (
        lambda: nn.Sequential(
            nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), nn.Softplus()
        ),
        lambda: randn(3, 3),
    ),
}
"""Modules, and inputs, in float64."""


def network(name: str) -> tuple[nn.Module, Tensor]:
    """In evaluation mode, with weights from a generator of their own."""
    make, points = NETWORKS[name]
    net = make().double().eval()
    redraw(net)
    return net, points()


@torch.no_grad()
def redraw(net: nn.Module, seed: int = 0) -> None:
    """Standard normal weights, halved."""
    g = seeded(seed)
    for p in net.parameters():
        p.copy_(torch.randn(p.shape, generator=g, dtype=p.dtype) / 2)


@torch.no_grad()
def shift(net: nn.Module, size: float = 0.3, seed: int = 5) -> None:
    """Move every parameter, the same way for every network with the same parameters."""
    g = seeded(seed)
    for p in net.parameters():
        p += size * torch.randn(p.shape, generator=g, dtype=torch.float64).to(p.dtype)
