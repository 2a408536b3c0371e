"""Networks that the methods are compared on: name to a module in float64, and its points."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit import encodings, networks
from tests.cases import randn, seeded


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and the way past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.first(x)))
        return torch.relu(x + self.norm2(self.second(y)))


class VisionTransformer(nn.Module):
    """Patches, a class token, positions, an encoder with packed attention (token-major)."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 5, width))
        self.encoder = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


class LanguageModel(nn.Module):
    """Embeddings tied to the head; positions looked up, the same for all samples."""

    def __init__(self, words: int = 6, width: int = 8) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=0)
        self.positions = nn.Embedding(4, width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 16, dropout=0.0)
        self.head = nn.Linear(width, words, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor, gain: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        return self.head(self.layer(x.transpose(0, 1)).transpose(0, 1)) * gain[:, :, None]


class Recurrent(nn.Module):
    """The last step of an RNN, which has no rule for vmap."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.recurrent = kind(3, 4, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.recurrent(x)[0][:, -1])


class UNet(nn.Module):
    """Down, up by a transposed convolution, and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(1, 3, 3, padding=1)
        self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.after = nn.Conv2d(6, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        skip = functional.gelu(self.before(x))
        x = functional.gelu(self.up(functional.gelu(self.down(skip))))
        return self.after(torch.cat([skip, x], 1))


class Shared(nn.Module):
    """One layer called twice, another reached through a function and through its transpose."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.other = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.layer(torch.tanh(self.layer(x))))
        x = torch.tanh(functional.linear(x, self.other.weight))
        return x @ self.other.weight + 2 * self.other.bias - self.layer.bias


class Siren(nn.Module):
    """`sin(30 x)` between layers, initialised for it (Sitzmann et al. 2020, section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.head = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 1)
        nn.init.uniform_(self.first.weight, -1 / 2, 1 / 2)
        for layer in (self.second, self.head):
            nn.init.uniform_(layer.weight, -((6 / 8) ** 0.5) / 30, (6 / 8) ** 0.5 / 30)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.sin(30 * self.second(torch.sin(30 * self.first(x)))))


def convolutions() -> nn.Module:
    """Groups, strides, dilation, padding, depthwise."""
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, 2, 1, groups=2),
        nn.GELU(),
        nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6),
        nn.GroupNorm(2, 6),
        nn.PReLU(6),
        nn.Conv2d(6, 4, (3, 2), stride=(1, 2)),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


def resnet() -> nn.Module:
    """With statistics that are not those of the start."""
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), Residual(4), Residual(4), *head)
    net(randn(8, 3, 6, 6).float())
    return net.eval()


def ntk_parametrised() -> nn.Module:
    """The layers of `ntkit.networks`, which scale their weights."""
    return nn.Sequential(
        networks.Conv1d(2, 4, 3, padding=1, w_std=1.4),
        nn.ReLU(),
        nn.Flatten(),
        networks.Linear(20, 3, b_std=0.3),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Any]] = {
    "mlp": (
        lambda: nn.Sequential(
            nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 5), nn.PReLU(), nn.Linear(5, 3)
        ),
        randn(4, 3),
    ),
    "convolutions": (convolutions, randn(3, 4, 7, 9)),
    "1-D": (
        lambda: nn.Sequential(nn.Conv1d(3, 4, 3, padding="same"), nn.Tanh(), nn.Conv1d(4, 2, 3)),
        randn(3, 3, 5),
    ),
    "3-D": (
        lambda: nn.Sequential(nn.Conv3d(2, 3, 2), nn.Tanh(), nn.Flatten(), nn.Linear(36, 2)),
        randn(3, 2, 3, 4, 3),
    ),
    "resnet": (resnet, randn(3, 3, 6, 6)),
    "vision transformer": (VisionTransformer, randn(3, 3, 4, 4)),
    "language model": (
        LanguageModel,
        (torch.randint(6, (3, 4), generator=seeded()), randn(3, 4)),
    ),
    "lstm": (lambda: Recurrent(nn.LSTM), randn(3, 4, 3)),
    "gru": (lambda: Recurrent(nn.GRU), randn(3, 4, 3)),
    "u-net": (UNet, randn(3, 1, 4, 4)),
    "shared": (Shared, randn(4, 4)),
    "siren": (Siren, randn(4, 2)),
    "fourier features": (
        lambda: networks.mlp(encodings.Gaussian(2, 6, 2.0, seeded()), 1, width=8, depth=2),
        randn(4, 2),
    ),
    "norms": (
        lambda: nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.RMSNorm(6), nn.Linear(6, 2)),
        randn(3, 4, 3),
    ),
    "ntk parametrisation": (ntk_parametrised, randn(3, 2, 5)),
}


def network(name: str, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, Any]:
    """The module with parameters that do not hide anything, and its points."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = NETWORKS[name][0]().to(dtype)
        with torch.no_grad():
            for p in net.parameters():
                if p.ndim == 1:
                    p += 0.3 * torch.randn_like(p)
    x = NETWORKS[name][1]
    cast = lambda t: t.to(dtype) if t.is_floating_point() else t  # noqa: E731
    return net, tuple(map(cast, x)) if isinstance(x, tuple) else cast(x)


def first(x: Any, n: int) -> Any:
    """The first `n` points."""
    return tuple(t[:n] for t in x) if isinstance(x, tuple) else x[:n]
