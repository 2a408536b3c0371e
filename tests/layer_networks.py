"""For each layer type that the infinite-width limit knows, a small network of any width that uses it.

And for what a forward does beside calling layers: sums, products and concatenations of branches.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Literal

import torch
from torch import Generator, Tensor, nn

from ntkit import networks
from ntkit.networks import Linear
from ntkit.networks.activations import Sine

__all__ = ["COMPOSED", "LAYERS", "Example", "Parametrisation", "as_standard"]

Make = Callable[[int, Generator], nn.Module]
Parametrisation = Literal["ntk", "standard"]

SIZES = {1: (5,), 2: (4, 3), 3: (3, 2, 2)}
"""Positions of small sequences, images and volumes."""


@dataclass(frozen=True)
class Example:
    """A network in which a layer type does its work.

    Attributes:
        make: `make(width, generator)`; one output, no bias at the read-out.
        shape: Of one point.
        pattern: Whether the points come with the pattern of a graph.
        why_no_rate: Why finite networks do not tend to the kernel, if they do not.
        parametrisations: Those that it has, the one that `make` gives first.
    """

    make: Make
    shape: tuple[int, ...] = (2,)
    pattern: bool = False
    why_no_rate: str = ""
    parametrisations: tuple[Parametrisation, ...] = ("ntk", "standard")

    def points(self, n: int, generator: Generator, dtype: torch.dtype = torch.float64) -> Any:
        """`n` points as the network takes them."""
        x = torch.randn(n, *self.shape, generator=generator, dtype=torch.float64).to(dtype)
        if not self.pattern:
            return x
        nodes = self.shape[0]
        edges = torch.rand(n, nodes, nodes, generator=generator, dtype=torch.float64).to(dtype)
        return x, (edges + edges.mT).round() / nodes

    def network(
        self, width: int, seed: int = 0, parametrisation: Parametrisation | None = None
    ) -> nn.Module:
        """The network, in float64."""
        made = self.make(width, torch.Generator().manual_seed(seed)).double()
        return as_standard(made) if parametrisation == "standard" else made


_PLAIN: dict[type[nn.Module], Any] = {
    Linear: nn.Linear,
    networks.Conv1d: nn.Conv1d,
    networks.Conv2d: nn.Conv2d,
    networks.Conv3d: nn.Conv3d,
    networks.ConvTranspose1d: nn.ConvTranspose1d,
    networks.ConvTranspose2d: nn.ConvTranspose2d,
    networks.ConvTranspose3d: nn.ConvTranspose3d,
}


def as_standard(module: nn.Module) -> nn.Module:
    """The same function in the standard parametrisation: scales are taken into the weights."""
    for name, child in module.named_children():
        setattr(module, name, as_standard(child))
    if type(module) not in _PLAIN:
        return module
    layer: Any = module
    if type(layer) is Linear:
        plain = nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
        fan_in = layer.in_features
    else:
        options = (
            {"output_padding": layer.output_padding} if hasattr(layer, "output_padding") else {}
        )
        plain = _PLAIN[type(layer)](
            *(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride),
            padding=layer.padding,
            dilation=layer.dilation,
            bias=layer.bias is not None,
            padding_mode=layer.padding_mode,
            **options,
        )
        fan_in = layer.in_channels * layer.weight[0, 0].numel()
    with torch.no_grad():
        plain.to(layer.weight.dtype).weight.copy_(layer.weight * layer.w_std / sqrt(fan_in))
        if layer.bias is not None:
            plain.bias.copy_(layer.bias * layer.b_std)
    return plain


class Mean(nn.Module):
    """The mean over all positions of `[n, channels, *positions]`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


class OfGraph(nn.Module):
    """Dense, ReLU, sums over neighbours, dense, ReLU, mean over nodes, dense."""

    def __init__(self, width: int, g: Generator) -> None:
        super().__init__()
        self.first = Linear(2, width, generator=g)
        self.neighbours = networks.Aggregate()
        self.second = Linear(width, width, generator=g)
        self.last = Linear(width, 1, bias=False, generator=g)

    def forward(self, x: Tensor, pattern: Tensor) -> Tensor:
        y = self.neighbours(torch.relu(self.first(x)), pattern)
        return self.last(torch.relu(self.second(y)).mean(1))


class OfTokens(nn.Module):
    """Dense, attention, ReLU, mean over tokens, dense."""

    def __init__(self, width: int, attention: nn.Module, g: Generator) -> None:
        super().__init__()
        self.first = Linear(2, width, generator=g)
        self.attention = attention
        self.last = Linear(width, 1, bias=False, generator=g)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        if isinstance(self.attention, nn.MultiheadAttention):
            y = self.attention(y, y, y, need_weights=False)[0]
        else:
            y = self.attention(y)
        return self.last(torch.relu(y).mean(1))


def plain(layer: Any, g: Generator, *, gain: float = 2.0) -> Any:
    """A layer of torch with its weights drawn anew, normal, of variance `gain / fan_in`."""
    weight = layer.weight
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    fan_in = weight.shape[0] * weight[0, 0].numel() if transposed else weight[0].numel()
    with torch.no_grad():
        weight.normal_(0, (gain / fan_in) ** 0.5, generator=g)
        if layer.bias is not None:
            layer.bias.normal_(0, 0.3, generator=g)
    return layer


def dense(*middle: Callable[[int, Generator], nn.Module]) -> Example:
    """A dense layer, what is looked at, and the read-out."""
    return Example(
        lambda w, g: nn.Sequential(
            Linear(2, w, w_std=1.4, b_std=0.3, generator=g),
            *[make(w, g) for make in middle],
            Linear(w, 1, bias=False, generator=g),
        )
    )


def convolved(
    axes: int, *middle: Callable[[int, Generator], nn.Module], mean: bool = True
) -> Example:
    """A convolution, what is looked at, and the mean over positions (or all of them) read out."""
    conv = {1: networks.Conv1d, 2: networks.Conv2d, 3: networks.Conv3d}[axes]

    def make(w: int, g: Generator) -> nn.Module:
        body = nn.Sequential(
            conv(2, w, 2, padding=1, w_std=1.4, b_std=0.3, generator=g),
            *[make(w, g) for make in middle],
            Mean() if mean else nn.Flatten(),
        )
        with torch.no_grad():
            features = body(torch.zeros(1, 2, *SIZES[axes])).shape[1]
        return nn.Sequential(body, Linear(features, 1, bias=False, generator=g))

    return Example(make, (2, *SIZES[axes]))


def layer(make: Callable[[], nn.Module]) -> Callable[[int, Generator], nn.Module]:
    """A layer that does not depend on the width."""
    return lambda w, g: make()


relu = layer(nn.ReLU)


def pooled(axes: int, make: Callable[[], nn.Module]) -> Example:
    """What moves or mixes positions stands between two convolutions of one tap."""
    conv = {1: networks.Conv1d, 2: networks.Conv2d, 3: networks.Conv3d}[axes]
    return convolved(
        axes, relu, layer(make), lambda w, g: conv(w, w, 1, w_std=1.4, generator=g), relu
    )


def batch_norm(kind: Any, *, shifted: bool = False) -> Callable[[int, Generator], nn.Module]:
    """In eval mode, with one variance; and means and shifts that differ from channel to channel."""

    def make(w: int, g: Generator) -> nn.Module:
        norm = kind(w).eval()
        with torch.no_grad():
            norm.running_var.fill_(0.7)
            norm.weight.fill_(1.3)
            if shifted:
                norm.running_mean.normal_(0, 0.5, generator=g)
                norm.bias.normal_(0, 0.3, generator=g)
        return norm

    return make


def attention(w: int, g: Generator) -> nn.Module:
    """Many heads, and keys of many channels: both limits are taken."""
    inner = networks.SelfAttention(
        w, w, max(1, w // 16), w // 4, 2, query_std=1.2, b_std=0.3, embedding="sum",
        embedding_std=0.8, embedding_decay=lambda d: 1 / (1 + d), positions=(3,), generator=g,
    )  # fmt: skip
    return OfTokens(w, inner, g)


def alone(parametrisation: Parametrisation, example: Example) -> Example:
    """For what has one parametrisation."""
    return replace(example, parametrisations=(parametrisation,))


LAYERS: dict[type[nn.Module], Example] = {
    Linear: dense(relu, lambda w, g: Linear(w, w, w_std=1.4, b_std=0.3, generator=g), relu),
    nn.Linear: Example(
        lambda w, g: nn.Sequential(
            plain(nn.Linear(2, w), g),
            nn.ReLU(),
            plain(nn.Linear(w, w), g),
            nn.ReLU(),
            plain(nn.Linear(w, 1, bias=False), g),
        ),
        parametrisations=("standard",),
    ),
    networks.Conv1d: convolved(
        1, relu, lambda w, g: networks.Conv1d(w, w, 2, dilation=2, generator=g), relu
    ),
    networks.Conv2d: convolved(
        2,
        relu,
        lambda w, g: networks.Conv2d(
            w, w, (3, 2), (2, 1), 1, padding_mode="circular", w_std=1.4, generator=g
        ),
        relu,
    ),
    networks.Conv3d: convolved(
        3, relu, lambda w, g: networks.Conv3d(w, w, 2, padding="same", generator=g), relu
    ),
    nn.Conv1d: alone(
        "standard",
        convolved(1, relu, lambda w, g: plain(nn.Conv1d(w, w, 3, 2, 1, groups=2), g), relu),
    ),
    nn.Conv2d: alone(
        "standard",
        convolved(
            2,
            relu,
            lambda w, g: plain(nn.Conv2d(w, w, 2, padding="same", padding_mode="reflect"), g),
            relu,
            mean=False,
        ),
    ),
    nn.Conv3d: alone(
        "standard", convolved(3, relu, lambda w, g: plain(nn.Conv3d(w, w, 2), g), relu)
    ),
    networks.ConvTranspose1d: convolved(
        1, relu, lambda w, g: networks.ConvTranspose1d(w, w, 3, 2, 1, 1, generator=g), relu
    ),
    networks.ConvTranspose2d: convolved(
        2, relu, lambda w, g: networks.ConvTranspose2d(w, w, 2, (2, 1), generator=g), relu
    ),
    networks.ConvTranspose3d: convolved(
        3, relu, lambda w, g: networks.ConvTranspose3d(w, w, 2, dilation=2, generator=g), relu
    ),
    nn.ConvTranspose1d: alone(
        "standard",
        convolved(1, relu, lambda w, g: plain(nn.ConvTranspose1d(w, w, 3, 2, 1), g), relu),
    ),
    nn.ConvTranspose2d: alone(
        "standard",
        convolved(2, relu, lambda w, g: plain(nn.ConvTranspose2d(w, w, 2), g), relu, mean=False),
    ),
    nn.ConvTranspose3d: alone(
        "standard",
        convolved(3, relu, lambda w, g: plain(nn.ConvTranspose3d(w, w, (2, 1, 2)), g), relu),
    ),
    networks.LocalConv1d: alone(
        "ntk",
        convolved(1, relu, lambda w, g: networks.LocalConv1d(w, w, 6, 3, 2, 1, generator=g), relu),
    ),
    networks.LocalConv3d: alone(
        "ntk",
        convolved(
            3,
            relu,
            lambda w, g: networks.LocalConv3d(w, w, (4, 3, 3), 2, generator=g),
            relu,
            mean=False,
        ),
    ),
    networks.LocalConv2d: alone(
        "ntk",
        convolved(
            2,
            relu,
            lambda w, g: networks.LocalConv2d(w, w, (5, 4), (2, 1), (2, 3), generator=g),
            relu,
            mean=False,
        ),
    ),
    nn.LayerNorm: dense(lambda w, g: nn.LayerNorm(w), relu),
    nn.RMSNorm: dense(relu, lambda w, g: nn.RMSNorm(w, eps=0.1)),
    nn.GroupNorm: convolved(2, lambda w, g: nn.GroupNorm(2, w), relu),
    nn.BatchNorm1d: dense(batch_norm(nn.BatchNorm1d), relu),
    nn.BatchNorm2d: convolved(2, batch_norm(nn.BatchNorm2d), relu),
    nn.BatchNorm3d: convolved(3, batch_norm(nn.BatchNorm3d), relu),
    nn.Identity: dense(layer(nn.Identity), relu),
    nn.Flatten: convolved(2, relu, mean=False),
    nn.Unflatten: convolved(1, layer(lambda: nn.Unflatten(2, (2, 3))), relu),
    networks.Aggregate: Example(OfGraph, (4, 2), pattern=True),
    networks.SelfAttention: alone("ntk", Example(attention, (3, 2))),
    nn.MultiheadAttention: Example(
        lambda w, g: OfTokens(w, nn.MultiheadAttention(w, w // 4, batch_first=True), g),
        (3, 2),
        why_no_rate="the identity query-key covariance is an approximation",
    ),
    nn.GLU: dense(lambda w, g: Linear(w, 2 * w, generator=g), layer(nn.GLU)),
    nn.AlphaDropout: pooled(1, lambda: nn.AlphaDropout(0.3).eval()),
    nn.FeatureAlphaDropout: pooled(1, lambda: nn.FeatureAlphaDropout(0.3).eval()),
    nn.Dropout: pooled(1, lambda: nn.Dropout(0.3)),
    nn.Dropout1d: pooled(1, lambda: nn.Dropout1d(0.3)),
    nn.Dropout2d: pooled(2, lambda: nn.Dropout2d(0.3)),
    nn.Dropout3d: pooled(3, lambda: nn.Dropout3d(0.3)),
    nn.AvgPool1d: pooled(1, lambda: nn.AvgPool1d(2, padding=1)),
    nn.AvgPool2d: pooled(2, lambda: nn.AvgPool2d((2, 3), stride=1, count_include_pad=False)),
    nn.AvgPool3d: pooled(3, lambda: nn.AvgPool3d(2)),
    nn.AdaptiveAvgPool1d: pooled(1, lambda: nn.AdaptiveAvgPool1d(4)),
    nn.AdaptiveAvgPool2d: pooled(2, lambda: nn.AdaptiveAvgPool2d((2, 3))),
    nn.AdaptiveAvgPool3d: pooled(3, lambda: nn.AdaptiveAvgPool3d(1)),
    nn.Upsample: pooled(2, lambda: nn.Upsample((7, 3), mode="bicubic", align_corners=True)),
    nn.UpsamplingNearest2d: pooled(2, lambda: nn.UpsamplingNearest2d(scale_factor=2)),
    nn.UpsamplingBilinear2d: pooled(2, lambda: nn.UpsamplingBilinear2d((3, 6))),
    nn.ZeroPad1d: pooled(1, lambda: nn.ZeroPad1d((2, 1))),
    nn.ZeroPad2d: pooled(2, lambda: nn.ZeroPad2d((0, 1, 2, -1))),
    nn.ZeroPad3d: pooled(3, lambda: nn.ZeroPad3d(1)),
    nn.ReflectionPad1d: pooled(1, lambda: nn.ReflectionPad1d((2, 1))),
    nn.ReflectionPad2d: pooled(2, lambda: nn.ReflectionPad2d((0, 1, 2, 1))),
    nn.ReflectionPad3d: pooled(3, lambda: nn.ReflectionPad3d(1)),
    nn.ReplicationPad1d: pooled(1, lambda: nn.ReplicationPad1d((2, 1))),
    nn.ReplicationPad2d: pooled(2, lambda: nn.ReplicationPad2d((0, 1, 2, 1))),
    nn.ReplicationPad3d: pooled(3, lambda: nn.ReplicationPad3d(1)),
    nn.CircularPad1d: pooled(1, lambda: nn.CircularPad1d((2, 1))),
    nn.CircularPad2d: pooled(2, lambda: nn.CircularPad2d((0, 1, 2, 1))),
    nn.CircularPad3d: pooled(3, lambda: nn.CircularPad3d(1)),
}
"""A row for each type with a rule, and each module that the reader knows by itself."""


class Written(nn.Module):
    """Layers by name, and what the forward does with them."""

    def __init__(self, does: Callable[[Any, Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.does = does
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self, x)


def branches(
    does: Callable[[Any, Tensor], Tensor],
    *,
    copies: int = 1,
    **others: Callable[[int], nn.Module],
) -> Example:
    """A dense layer, what `does(m, x)` makes of it with layers `a`, `b`, `c`, and the read-out."""

    def make(w: int, g: Generator) -> nn.Module:
        def inner() -> nn.Module:
            return Linear(w, w, w_std=1.2, b_std=0.3, generator=g)

        return nn.Sequential(
            Linear(2, w, w_std=1.4, b_std=0.3, generator=g),
            Written(does, a=inner(), b=inner(), c=inner(), **{k: f(w) for k, f in others.items()}),
            Linear(copies * w, 1, bias=False, generator=g),
        )

    return Example(make)


def tokens(*middle: Callable[[int, Generator], nn.Module]) -> Example:
    """A dense layer on three tokens, what is looked at, and the mean over tokens read out."""
    return Example(
        lambda w, g: nn.Sequential(
            Linear(2, w, w_std=1.4, b_std=0.3, generator=g),
            *[make(w, g) for make in middle],
            Written(lambda m, x: x.mean(1)),
            Linear(w, 1, bias=False, generator=g),
        ),
        (3, 2),
    )


def hidden(w: int, g: Generator) -> nn.Module:
    """A dense layer of as many channels."""
    return Linear(w, w, w_std=1.4, b_std=0.3, generator=g)


def convolution(w: int, g: Generator) -> nn.Module:
    """Three taps of as many channels."""
    return networks.Conv1d(w, w, 3, padding=1, w_std=1.4, b_std=0.3, generator=g)


def of_scores(**options: Any) -> Example:
    """Attention in its variants, which differ in what has to be large."""

    def make(w: int, g: Generator) -> nn.Module:
        heads, keys = (max(1, w // 16), w // 4) if options["scaling"] == "linear" else (w, 2)
        inner = networks.SelfAttention(
            w, w, heads, keys, 2, positions=(3,), generator=g, query_std=1.2, b_std=0.3, **options
        )
        return OfTokens(w, inner, g)

    return alone("ntk", Example(make, (3, 2)))


class Placed(nn.Module):
    """A random vector added at each of three positions, and trained along."""

    def __init__(self, w: int, g: Generator) -> None:
        super().__init__()
        self.places = nn.Parameter(0.7 * torch.randn(1, 3, w, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.places


def frozen_slope() -> nn.Module:
    """One slope that is not trained."""
    return nn.PReLU(init=0.3).requires_grad_(False)


COMPOSED: dict[str, Example] = {
    "residual sum": branches(lambda m, x: x + m.b(torch.relu(m.a(torch.relu(x))))),
    "difference": branches(lambda m, x: m.a(torch.relu(x)) - m.b(torch.tanh(x))),
    "residual sum, of images": convolved(
        1, lambda w, g: Written(lambda m, x: x + m.a(torch.relu(x)), a=convolution(w, g)), relu
    ),
    "concatenation": branches(
        lambda m, x: torch.cat([torch.relu(m.a(x)), torch.tanh(m.b(x))], -1), copies=2
    ),
    "concatenation of unlike parts": branches(
        lambda m, x: torch.tanh(torch.cat([m.a(torch.relu(x)), 3 * m.b(x)], -1)), copies=2
    ),
    "product of branches": branches(lambda m, x: m.a(torch.relu(x)) * torch.sigmoid(m.b(x))),
    "times a number": branches(lambda m, x: 0.5 * torch.relu(-2 * m.a(torch.relu(x)) / 3)),
    "layer norm of tokens": tokens(lambda w, g: nn.LayerNorm(w), relu, hidden, relu),
    "layer norm of tokens and channels": tokens(
        lambda w, g: nn.LayerNorm((3, w)), relu, hidden, relu
    ),
    "root mean square of tokens": tokens(relu, lambda w, g: nn.RMSNorm(w), hidden, relu),
    "root mean square of tokens and channels": tokens(
        relu, lambda w, g: nn.RMSNorm((3, w)), hidden, relu
    ),
    "group norm of vectors": dense(lambda w, g: nn.GroupNorm(4, w), relu),
    "group norm between convolutions": convolved(
        1, relu, convolution, lambda w, g: nn.GroupNorm(2, w, eps=0.1), relu
    ),
    "layer norm after a nonlinearity": dense(relu, lambda w, g: nn.LayerNorm(w), hidden, relu),
    "group norm after a nonlinearity": dense(relu, lambda w, g: nn.GroupNorm(4, w), hidden, relu),
    "layer norm of a concatenation": branches(
        lambda m, x: torch.relu(m.n(torch.cat([m.a(torch.relu(x)), 3 * m.b(x)], -1))),
        copies=2,
        n=lambda w: nn.LayerNorm(2 * w),
    ),
    "batch norm with means after a nonlinearity": alone(
        "standard", dense(relu, batch_norm(nn.BatchNorm1d, shifted=True), hidden, relu)
    ),
    "batch norm with means and shifts": alone(
        "standard", dense(batch_norm(nn.BatchNorm1d, shifted=True), relu, hidden, relu)
    ),
    "embedding of positions": tokens(lambda w, g: Placed(w, g), relu, hidden, relu),
    "dropout": dense(relu, layer(lambda: nn.Dropout(0.4)), hidden, relu),
    "dropout of entries": convolved(1, relu, layer(lambda: nn.Dropout(0.5)), convolution, relu),
    "dropout of channels": convolved(1, relu, layer(lambda: nn.Dropout1d(0.5)), convolution, relu),
    "dropout of channels of images": convolved(2, relu, layer(lambda: nn.Dropout2d(0.5))),
    "prelu, frozen": alone("ntk", dense(layer(frozen_slope), hidden, layer(frozen_slope))),
    "prelu": alone(
        "standard", dense(layer(lambda: nn.PReLU(init=0.3)), hidden, layer(lambda: nn.PReLU()))
    ),
    "gelu": dense(layer(nn.GELU), hidden, layer(nn.GELU)),
    "tanh": dense(layer(nn.Tanh), hidden, layer(nn.Tanh)),
    "sine": dense(layer(lambda: Sine(1.5)), hidden, layer(lambda: Sine(1.0))),
    "identity scores": of_scores(scores="identity", scaling="sqrt"),
    "scores of one weight": of_scores(scores="identity", scaling="linear"),
    "relu scores": of_scores(scores="relu", scaling="linear", embedding="concat"),
    "abs scores": of_scores(
        scores="abs", scaling="linear", embedding="sum", embedding_std=0.8, embed_values=True
    ),
}
"""What is made of layers, by name. Those with dropout are looked at in training mode."""
