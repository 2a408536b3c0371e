"""Layers of a third party, and what they say of themselves: a normalisation, maps of positions, attention."""

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ntkit.kernels import Norm, PairState, rules
from ntkit.networks import Conv1d, Linear


class GroupRMS(nn.Module):
    """Each group of channels over its root mean square; a gain and an offset of each channel."""

    def __init__(self, groups: int | None, channels: int, *, takes_mean: bool = False) -> None:
        super().__init__()
        self.groups, self.takes_mean, self.eps = groups, takes_mean, 1e-3
        self.gain = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.unflatten(1, (self.groups or 1, -1)).flatten(2)
        if self.takes_mean:
            parts = parts - parts.mean(2, keepdim=True)
        parts = parts * (parts.square().mean(2, keepdim=True) + self.eps).rsqrt()
        shape = (-1, *(1,) * (x.ndim - 2))
        return parts.reshape(x.shape) * self.gain.view(shape) + self.offset.view(shape)


@rules.normalisation(GroupRMS, channel_axis=1)
def group_rms(layer: GroupRMS) -> Norm:
    return Norm(
        epsilon=layer.eps,
        takes_mean=layer.takes_mean,
        groups=layer.groups,
        scale=layer.gain,
        shift=layer.offset,
    )


class RunningMean(nn.Module):
    """Of all positions up to each one."""

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(2) / torch.arange(1, x.shape[2] + 1, dtype=x.dtype)


class Blur(nn.Module):
    """Windows of three positions with one kernel for all channels, a buffer or a parameter."""

    def __init__(self, kernel: Tensor, *, is_trained: bool = False) -> None:
        super().__init__()
        self.kernel = nn.Parameter(kernel) if is_trained else None
        self.register_buffer("fixed", None if is_trained else kernel)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.fixed if self.kernel is None else self.kernel
        wide = functional.conv1d(x.flatten(0, 1)[:, None], kernel[None, None], padding=1)
        return wide.reshape(x.shape)


rules.pooling(RunningMean, Blur)


class Focus(nn.Module):
    """Self-attention with one matrix for queries and keys, and scores over their dimension."""

    def __init__(self, channels: int, heads: int, inner: int, g: Generator) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.randn(heads, channels, inner, generator=g))
        self.value = nn.Parameter(torch.randn(heads, channels, 2, generator=g))
        self.out = nn.Parameter(torch.randn(heads * 2, channels, generator=g))
        self.sharpness = 1.5

    def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
        keys = torch.einsum("npc,hck->nhpk", x, self.key)
        products = keys @ keys.mT / (keys.shape[-1] * x.shape[-1])
        hidden = None if key_padding_mask is None else key_padding_mask[:, None, None]
        seen = focus_weights(self, products, hidden)
        values = torch.einsum("npc,hcv->nhpv", x, self.value)
        heads = (seen @ values).transpose(1, 2).flatten(2)
        return heads @ self.out / (heads.shape[-1] * x.shape[-1]) ** 0.5


def focus_weights(layer: Focus, products: Tensor, hidden: Tensor | None) -> Tensor:
    if hidden is not None:
        products = products.masked_fill(hidden, -torch.inf)
    return (layer.sharpness * products).softmax(-1)


@rules.attention(Focus, weights=focus_weights)
def focus(layer: Focus, state: PairState, variances: str) -> PairState:
    """Values and output: two layers of unit Gaussian weights, over the roots of what they sum."""
    return state.affine(1.0, 0.0, own_weight=2.0, own_bias=0.0)


class OfTokens(nn.Module):
    """Dense, attention, ReLU, mean over tokens, dense."""

    def __init__(self, width: int, attention: nn.Module, g: Generator) -> None:
        super().__init__()
        self.first = Linear(2, width, b_std=0.3, generator=g)
        self.attention = attention
        self.last = Linear(width, 1, bias=False, generator=g)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        y = self.first(x)
        y = self.attention(y) if mask is None else self.attention(y, mask.bool())
        return self.last(torch.relu(y).mean(1))


def focused(width: int, g: Generator) -> nn.Module:
    return OfTokens(width, Focus(width, max(1, width // 8), width // 4, g), g)


def convolved(width: int, g: Generator, *middle: nn.Module) -> nn.Module:
    """A convolution, ReLU, what is looked at, and two more layers."""
    return nn.Sequential(
        Conv1d(2, width, 2, padding=1, w_std=1.4, b_std=0.3, generator=g),
        nn.ReLU(),
        *middle,
        Conv1d(width, width, 1, w_std=1.4, generator=g),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        Linear(width, 1, bias=False, generator=g),
    )


def normed(width: int, g: Generator) -> nn.Module:
    return nn.Sequential(
        Conv1d(2, width, 2, padding=1, w_std=1.4, b_std=0.3, generator=g),
        GroupRMS(2, width),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        Linear(width, 1, bias=False, generator=g),
    )


def pooled(width: int, g: Generator) -> nn.Module:
    return convolved(width, g, RunningMean(), Blur(torch.tensor([0.25, 1.0, -0.5])))
