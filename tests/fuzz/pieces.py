"""Pieces of small networks, `[n, 3, 4]` to `[n, 3, 4]`: layers that only a finite network can have."""

from collections.abc import Callable
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

__all__ = ["LAYERS", "Applied", "C", "T"]

T, C = 3, 4
"""Tokens and channels."""


class Applied(nn.Module):
    """Layers and parameters by name, and what the forward makes of them."""

    def __init__(self, words: str, forward: Callable[[Any, Tensor], Tensor], **held: Any) -> None:
        super().__init__()
        self.words, self.does = words, forward
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self, x)

    def extra_repr(self) -> str:
        return self.words


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape) / shape[-1] ** 0.5)


def recurrent(r: Random) -> nn.Module:
    kind = r.choice((nn.RNN, nn.LSTM, nn.GRU))
    both, layers = r.random() < 0.4, r.choice((1, 1, 2))
    inner = kind(C, 2 if both else C, layers, batch_first=True, bidirectional=both)
    return Applied("recurrent", lambda s, x: s.inner(x)[0], inner=inner)


def cell(r: Random) -> nn.Module:
    def forward(s: Any, x: Tensor) -> Tensor:
        h, states = torch.zeros_like(x[:, 0]), []
        for t in range(T):
            h = s.inner(x[:, t], h)
            states.append(h)
        return torch.stack(states, 1)

    return Applied("GRUCell in a loop", forward, inner=nn.GRUCell(C, C))


def packed_attention(r: Random) -> nn.Module:
    causal = r.random() < 0.5

    def forward(s: Any, x: Tensor) -> Tensor:
        mask = torch.ones(T, T, dtype=torch.bool).triu(1) if causal else None
        return s.inner(x, x, x, attn_mask=mask, need_weights=not causal)[0]

    return Applied(
        "MultiheadAttention", forward, inner=nn.MultiheadAttention(C, 2, batch_first=True)
    )


def encoder(r: Random) -> nn.Module:
    first = r.random() < 0.5
    return nn.TransformerEncoderLayer(C, 2, 5, 0.0, batch_first=True, norm_first=first)


def decoder(r: Random) -> nn.Module:
    inner = nn.TransformerDecoderLayer(C, 2, 5, 0.0, batch_first=True)
    return Applied("TransformerDecoderLayer", lambda s, x: s.inner(x, x.flip(1)), inner=inner)


def attention(r: Random) -> nn.Module:
    causal, by_hand = r.random() < 0.5, r.random() < 0.5

    def forward(s: Any, x: Tensor) -> Tensor:
        q, k, v = (part.reshape(-1, T, 2, 2).transpose(1, 2) for part in s.qkv(x).chunk(3, -1))
        if by_hand:
            scores = torch.einsum("nhtd,nhsd->nhts", q, k) / 2**0.5
            if causal:
                scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), float("-inf"))
            h = scores.softmax(-1) @ v
        else:
            h = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return s.out(h.transpose(1, 2).reshape(-1, T, C))

    return Applied("attention", forward, qkv=nn.Linear(C, 3 * C), out=nn.Linear(C, C, bias=False))


def convolution(r: Random) -> nn.Module:
    kind = r.choice(("groups", "dilation", "circular", "stride"))
    options: dict[str, Any] = {
        "groups": {"kernel_size": 3, "padding": 1, "groups": 2},
        "dilation": {"kernel_size": 2, "padding": 1, "dilation": 2},
        "circular": {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
        "stride": {"kernel_size": 3, "padding": 1, "stride": 1},
    }[kind]
    inner = nn.Conv1d(C, C, **options)
    return Applied(f"Conv1d {kind}", lambda s, x: s.inner(x.transpose(1, 2)).mT, inner=inner)


def image(r: Random) -> nn.Module:
    inner = nn.Conv2d(1, 2, (2, 3), padding=(1, 1), stride=r.choice((1, 2)))
    norm = r.choice((nn.InstanceNorm2d(2, affine=True), nn.GroupNorm(1, 2), nn.BatchNorm2d(2)))
    pool = r.choice((nn.AdaptiveMaxPool2d((T, C)), nn.AdaptiveAvgPool2d((T, C))))
    return Applied(
        f"image, {type(norm).__name__}, {type(pool).__name__}",
        lambda s, x: s.pool(s.norm(s.inner(x[:, None]))).sum(1),
        inner=inner, norm=norm, pool=pool,
    )  # fmt: skip


def up_and_down(r: Random) -> nn.Module:
    return Applied(
        "down, up, skip",
        lambda s, x: x + s.up(torch.tanh(s.down(x.mT))).mT,
        down=nn.Conv1d(C, 3, 2), up=nn.ConvTranspose1d(3, C, 2),
    )  # fmt: skip


def norm(r: Random) -> nn.Module:
    return r.choice((nn.LayerNorm(C), nn.LayerNorm((T, C)), nn.RMSNorm(C), nn.BatchNorm1d(T)))


def slopes(r: Random) -> nn.Module:
    return r.choice((nn.PReLU(), nn.PReLU(T), nn.Softmax(-1), nn.SELU(), nn.Mish(), nn.Hardswish()))


def functional_style(r: Random) -> nn.Module:
    ways: dict[str, Callable[[Any, Tensor], Tensor]] = {
        "matmul": lambda s, x: x @ s.w + s.b,
        "linear": lambda s, x: functional.linear(x, s.w, s.b),
        "einsum": lambda s, x: torch.einsum("ntc,dc->ntd", x, s.w) * s.b,
        "transposed": lambda s, x: torch.tanh(functional.linear(x, s.w)) @ s.w,
        "addcmul": lambda s, x: torch.addcmul(x, x @ s.w.T, s.b, value=0.5),
        "tensordot": lambda s, x: torch.tensordot(x, s.w, dims=1) - s.b**2,
        "outer": lambda s, x: x * torch.outer(s.b[:T], s.b) + s.w[0, 0],
        "norm of the weights": lambda s, x: x @ (s.w / s.w.norm(dim=1, keepdim=True)).T,
        "symmetric": lambda s, x: x @ (s.w + s.w.T) / 2,
        "low rank": lambda s, x: x + (x @ s.w[:, :2]) @ s.w[:2],
        "exponential": lambda s, x: x @ torch.linalg.matrix_exp(s.w - s.w.T),
        "conv1d": lambda s, x: functional.conv1d(x, s.w[:T, :T, None], s.b[:T]),
        "bilinear": lambda s, x: functional.bilinear(x, x, s.w.expand(C, C, C), s.b),
        "baddbmm": lambda s, x: torch.baddbmm(x, x, s.w.expand(x.shape[0], C, C)),
        "layer_norm": lambda s, x: functional.layer_norm(x, (C,), s.b, s.w[0]),
    }
    way = r.choice(list(ways))
    return Applied(way, ways[way], w=weight(C, C), b=weight(C))


def generated(r: Random) -> nn.Module:
    """Weights that another layer makes of the sample."""

    def forward(s: Any, x: Tensor) -> Tensor:
        w = s.maker(x.mean(1)).reshape(-1, C, C)
        return x @ w + s.inner(x)

    return Applied("hypernetwork", forward, maker=nn.Linear(C, C * C), inner=nn.Linear(C, C))


def adapted(r: Random) -> nn.Module:
    """A frozen layer and what is trained beside it."""
    inner = nn.Linear(C, C).requires_grad_(False)
    return Applied(
        "adapter", lambda s, x: s.inner(x) + 0.5 * (x @ s.a) @ s.b,
        inner=inner, a=weight(C, 2), b=weight(2, C),
    )  # fmt: skip


def parametrised(r: Random) -> nn.Module:
    how = r.choice(("weight_norm", "spectral_norm", "orthogonal"))
    layer = nn.Linear(C, C)
    if how == "orthogonal":
        return parametrizations.orthogonal(layer, orthogonal_map=r.choice(("cayley", "matrix_exp")))
    return getattr(parametrizations, how)(layer)


def checkpointed(r: Random) -> nn.Module:
    def forward(s: Any, x: Tensor) -> Tensor:
        return x + checkpoint(lambda h: torch.tanh(s.inner(h)), x, use_reentrant=False)

    return Applied("checkpoint", forward, inner=nn.Linear(C, C))


LAYERS: dict[str, tuple[float, Callable[[Random], nn.Module]]] = {
    "recurrent": (2, recurrent),
    "cell": (0.5, cell),
    "packed attention": (1, packed_attention),
    "encoder": (1, encoder),
    "decoder": (0.5, decoder),
    "attention": (1.5, attention),
    "convolution": (1.5, convolution),
    "image": (1, image),
    "up and down": (1, up_and_down),
    "norm": (1.5, norm),
    "slopes": (1, slopes),
    "functional": (3, functional_style),
    "generated": (0.5, generated),
    "adapted": (1, adapted),
    "parametrised": (1, parametrised),
    "checkpoint": (0.7, checkpointed),
}
"""By name: how often, and how."""
