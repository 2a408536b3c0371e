"""Blocks of tokens `[n, t, c]` and of maps `[n, c, *sizes]`: what is done to positions."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from ntkit import networks
from tests.fuzz.drawing import Drawing
from tests.fuzz.joins import Does, Residual, Table, Token, With

__all__ = ["MAPS", "TOKENS"]

Build = Callable[[Drawing], list[nn.Module]]


def table(d: Drawing) -> list[nn.Module]:
    """Learned positions."""
    d.words.append("positions")
    made: nn.Module = Table(d.sizes[0], d.channels, looked_up=d.chance(0.4))
    if d.chance(0.2):  # the transformer's, which does not train
        angles = torch.arange(d.sizes[0])[:, None] / 10 ** torch.linspace(0, 2, d.channels // 2)
        waves = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
        made = With(lambda x, table: x + table, waves, "sinusoidal positions")
        d.words.append("sinusoidal")
    return [made.requires_grad_(d.chance(0.7)), d.act(), d.layer()]


def token(d: Drawing) -> list[nn.Module]:
    """A class token."""
    d.words.append("token")
    made = Token(d.channels)
    d.sizes = (d.sizes[0] + 1,)
    return [made, d.act(), d.layer()]


def attention(d: Drawing) -> list[nn.Module]:
    """Self-attention whose limit is exact, often with a way past it."""
    d.words.append("SelfAttention")
    w = d.width
    scores, scaling = d.pick(("identity", "sqrt"), ("softmax", "linear"), ("relu", "linear"))
    heads, keys = (w // 4, 4) if scaling == "sqrt" else (2, w)
    made = networks.SelfAttention(w, w, heads, keys, w // 2, scores=scores, scaling=scaling)
    return [Residual(made)] if d.chance(0.5) else [d.act(), made]


def packed_attention(d: Drawing) -> list[nn.Module]:
    """Softmax attention of torch, whose limit is an approximation."""
    d.words.append("MultiheadAttention")
    inner = nn.MultiheadAttention(d.width, max(1, d.width // 8), batch_first=True)
    return [_Attends(inner), d.act(), d.layer()]


class _Attends(nn.Module):
    """The values alone."""

    def __init__(self, inner: nn.MultiheadAttention) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


def mixing(d: Drawing) -> list[nn.Module]:
    """Linear maps of the positions that hold no weights."""
    d.words.append("mixing")
    t = d.sizes[0]
    lower = torch.tril(torch.ones(t, t)) / torch.arange(1.0, t + 1)[:, None]
    keep = (torch.arange(t) != t - 2).float()[:, None]
    made = d.pick(
        Does(lambda x: x + x.mean(1, keepdim=True), "x + x.mean(1)"),
        Does(lambda x: x - x.mean(dim=1, keepdim=True), "x - x.mean(1)"),
        Does(lambda x: torch.roll(x, 1, dims=1), "roll(x, 1)"),
        Does(lambda x: x.flip(1), "x.flip(1)"),
        With(lambda x, m: m @ x, lower, "causal mean"),
        With(lambda x, m: x * m, keep, "mask"),
        With(lambda x, m: x.masked_fill(m == 0, 0.0), keep, "masked_fill"),
        Does(lambda x: functional.pad(x, (0, 0, 1, 1)), "pad"),
        Does(lambda x: x[:, 1:], "x[:, 1:]"),
    )
    change = {"pad": 2, "x[:, 1:]": -1}.get(made.extra_repr(), 0)
    d.sizes = (t + change,)
    return [made, d.act(), d.layer()]


def as_maps(d: Drawing) -> list[nn.Module]:
    """A convolution over tokens."""
    d.words.append("permute")
    act = d.act()
    d.kind = "maps"
    made = [d.conv(d.channels, d.width, keeps=True)]
    d.kind = "tokens"
    turn = Does(lambda x: x.transpose(1, 2), "x.transpose(1, 2)")
    back = Does(lambda x: x.permute(0, 2, 1), "x.permute(0, 2, 1)")
    return [act, turn, *made, back]


TOKENS: dict[str, tuple[float, Build]] = {
    "positions": (2, table),
    "class token": (1, token),
    "attention": (2, attention),
    "packed attention": (0.3, packed_attention),
    "mixing": (3, mixing),
    "convolution": (1, as_maps),
}
"""By name: how often, and how."""


def pool(d: Drawing) -> list[nn.Module]:
    """Average pooling, by module or function."""
    d.words.append("pool")
    axes = len(d.sizes)
    act = d.act()
    if min(d.sizes) < 2:
        return [act, d.layer()]
    if d.chance(0.3):
        d.sizes = tuple(max(1, n // 2) for n in d.sizes)
        kind = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[axes - 1]
        return [act, kind(d.sizes if axes > 1 else d.sizes[0]), d.layer()]
    function = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[axes - 1]
    kind = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[axes - 1]
    step = d.pick(1, 2)
    made = kind(2, step) if d.chance(0.7) else Does(lambda x: function(x, 2, step), "avg_pool")
    d.sizes = tuple((n - 2) // step + 1 for n in d.sizes)
    return [act, made, d.layer()] if d.chance(0.7) else [made, act, d.layer()]


def upsampled(d: Drawing) -> list[nn.Module]:
    """Larger maps."""
    if max(d.sizes) > 5:
        return [d.act(), d.layer()]
    d.words.append("up")
    if d.chance(0.5):
        act = d.act()
        made: nn.Module = d.up()
        d.channels = d.width
        return [act, made]
    if len(d.sizes) == 2 and d.chance(0.3):
        d.sizes = tuple(2 * n for n in d.sizes)
        kind = d.pick(nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
        return [d.act(), kind(scale_factor=2), d.layer()]
    mode = d.pick("nearest", ("linear", "bilinear", "trilinear")[len(d.sizes) - 1])
    d.sizes = tuple(2 * n for n in d.sizes)
    if d.chance(0.5):
        made = nn.Upsample(scale_factor=2, mode=mode)
    else:
        made = Does(lambda x: functional.interpolate(x, scale_factor=2, mode=mode), mode)
    return [made, d.act(), d.layer()]


_BORDERS = (
    (nn.ZeroPad1d, nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d),
    (nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d),
    (nn.ZeroPad3d, nn.ReflectionPad3d, nn.ReplicationPad3d, nn.CircularPad3d),
)


def padded(d: Drawing) -> list[nn.Module]:
    """A border of one sample."""
    d.words.append("border")
    kinds = _BORDERS[len(d.sizes) - 1]
    kind = kinds[0] if min(d.sizes) < 2 else d.pick(*kinds)
    d.sizes = tuple(n + 2 for n in d.sizes)
    return [d.act(), kind(1), d.layer()]


def separable(d: Drawing) -> list[nn.Module]:
    """A filter a channel, then a dense layer at each position."""
    d.words.append("depthwise")
    act, filters = d.act(), d.depthwise()
    pointwise = d.aside(lambda: [d.conv(d.channels, d.width, keeps=True, simple=True)])
    return [act, filters, *([nn.ReLU()] if d.chance(0.1) else []), *pointwise]


def local(d: Drawing) -> list[nn.Module]:
    """Weights of each position's own, in the NTK parametrisation."""
    if d.initialisation != "ntk":
        return [d.act(), d.layer()]
    d.words.append("local")
    kind = (networks.LocalConv1d, networks.LocalConv2d, networks.LocalConv3d)[len(d.sizes) - 1]
    kernel = tuple(min(2, n) for n in d.sizes)
    act, made = d.act(), kind(d.channels, d.width, d.sizes, kernel, w_std=1.3, b_std=0.3)
    d.sizes = tuple(n - k + 1 for n, k in zip(d.sizes, kernel, strict=True))
    return [act, made]


class Excite(nn.Module):
    """A gate for each channel, of the means over positions."""

    def __init__(self, axes: int, inner: nn.Module, outer: nn.Module) -> None:
        super().__init__()
        self.axes, self.inner, self.outer = axes, inner, outer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = torch.sigmoid(self.outer(torch.relu(self.inner(x.flatten(2).mean(2)))))
        return x * gate.reshape(-1, gate.shape[1], *(1,) * self.axes)


def excited(d: Drawing) -> list[nn.Module]:
    """Squeeze and excite."""
    d.words.append("excite")
    w = d.width
    return [d.act(), Excite(len(d.sizes), d.dense(w, w), d.dense(w, w)), d.layer()]


def turned(d: Drawing) -> list[nn.Module]:
    """Dense layers (and a LayerNorm) with the channels last, as ConvNeXt has them."""
    d.words.append("channels last")
    axes, act = len(d.sizes), d.act()
    last = (0, *range(2, 2 + axes), 1)
    first = (0, 1 + axes, *range(1, 1 + axes))
    norm = [nn.LayerNorm(d.channels, elementwise_affine=False)] if d.chance(0.5) else []
    turn = Does(lambda x: x.permute(*last), "channels last")
    back = Does(lambda x: x.permute(*first), "channels first")
    return [turn, *norm, act, d.dense(d.channels, d.width), back]


def unflattened(d: Drawing) -> list[nn.Module]:
    """Positions in a row as a picture, or the other way."""
    d.words.append("unflatten")
    if d.sizes == (6,):
        d.sizes = (2, 3)
        made: nn.Module = nn.Unflatten(2, d.sizes)
    else:
        d.sizes = (d.positions,)
        made = nn.Flatten(2)
    return [d.act(), made, d.layer()]


def to_tokens(d: Drawing) -> list[nn.Module]:
    """Patches as tokens."""
    d.words.append("patches")
    d.kind, d.sizes = "tokens", (d.positions,)
    return [Does(lambda x: x.flatten(2).transpose(1, 2), "patches"), d.act(), d.layer()]


MAPS: dict[str, tuple[float, Build]] = {
    "pool": (1.5, pool),
    "upsampled": (1.3, upsampled),
    "border": (1, padded),
    "separable": (1, separable),
    "local": (1.3, local),
    "excite": (0.7, excited),
    "channels last": (1, turned),
    "unflattened": (0.7, unflattened),
    "tokens": (0.7, to_tokens),
}
"""By name: how often, and how."""
