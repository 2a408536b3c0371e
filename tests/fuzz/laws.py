"""What the parameters of a drawn network are drawn from, and many draws of them at a time."""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tests.fuzz.joins import Table, Token
from tests.fuzz.wide import Network

__all__ = ["Law", "laws", "pin"]

_KEPT = (
    nn.LayerNorm | nn.RMSNorm | nn.GroupNorm | nn.PReLU | nn.MultiheadAttention
    | nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
)  # fmt: skip
_PACKED = type(nn.MultiheadAttention(1, 1).out_proj)
_UP = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
_LAYERS = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | _UP


@dataclass(frozen=True)
class Law:
    """Independent draws of mean zero, or what is there.

    Attributes:
        kind: Of the distribution.
        deviation: Root mean square.
    """

    kind: Literal["normal", "uniform", "kept"]
    deviation: float = 0.0

    def draws(self, n: int, like: Tensor, generator: torch.Generator) -> Tensor:
        """`n` of a parameter."""
        if self.kind == "kept":
            return like.expand(n, *like.shape)
        size = (n, *like.shape)
        if self.kind == "normal":
            return torch.empty(size, dtype=like.dtype).normal_(
                0, self.deviation, generator=generator
            )
        bound = self.deviation * sqrt(3)
        return torch.empty(size, dtype=like.dtype).uniform_(-bound, bound, generator=generator)


def laws(network: Network) -> dict[str, Law]:
    """By the name of the parameter."""
    found: dict[str, Law] = {}
    for prefix, layer in network.module.named_modules():
        for name, p in layer.named_parameters(recurse=False):
            found[f"{prefix}.{name}" if prefix else name] = _law(network, layer, name, p)
    return found


def _law(network: Network, layer: nn.Module, name: str, p: Tensor) -> Law:
    if isinstance(layer, _KEPT) or type(layer) is _PACKED:
        return Law("kept")
    if type(layer).__module__.startswith("ntkit.") or isinstance(
        layer, Table | Token | nn.Embedding
    ):
        return Law("normal", 1.0)
    assert isinstance(layer, _LAYERS), f"{layer} has no law"
    fan_in = _fan_in(layer)
    if network.initialisation == "torch":
        return Law("uniform", 1 / sqrt(3 * _torch_fan_in(layer)))
    if name == "bias":
        return Law("normal", network.bias_std)
    kind: Any = network.initialisation
    return Law(kind, sqrt(network.gains[id(layer)] / fan_in))


def _fan_in(layer: Any) -> int:
    weight = layer.weight
    if isinstance(layer, _UP):
        return weight.shape[0] * weight[0, 0].numel()
    return weight[0].numel()


def _torch_fan_in(layer: Any) -> int:
    """As `kaiming_uniform_` counts it, which for transposed convolutions is another number."""
    return layer.weight[0].numel()


@torch.no_grad()
def pin(network: Network, seed: int = 0) -> Network:
    """The network with a draw put in place, at the very moments of its laws where `ntk` measures them.

    So that what is compared is the rule, and not the sampling error of the variances: entries are
    shifted and scaled to a mean of zero and their mean square; learned positions are orthogonal.
    """
    g = torch.Generator().manual_seed(seed)
    params = dict(network.module.named_parameters())
    for name, law in laws(network).items():
        p = params[name]
        if law.kind == "kept":
            continue
        p.copy_(law.draws(1, p, g)[0])
        if network.variances == "measured":
            _at_moments(p, law.deviation)
    for layer in network.module.modules():
        if isinstance(layer, Table | Token | nn.Embedding):
            for p in layer.parameters(recurse=False):
                _orthogonal(p)
    return network


def _at_moments(p: Tensor, deviation: float) -> None:
    if p.numel() >= 16:
        p -= p.mean()
    if deviation:
        p *= deviation / p.square().mean().sqrt()


def _orthogonal(p: Tensor) -> None:
    """Rows of the last axis orthogonal to each other and to ones, of unit mean square."""
    rows = p.reshape(-1, p.shape[-1])
    ones = torch.ones(1, rows.shape[1], dtype=p.dtype)
    q = torch.linalg.qr(torch.cat([ones, rows]).mT)[0].mT[1:]
    p.copy_((q * sqrt(rows.shape[1])).reshape(p.shape))
