"""Attention written out is `nn.MultiheadAttention`, and masks of pairs say who sees whom."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from tests.cases import randn
from tests.ordinary_networks import written
from tests.tolerances import assert_near

pytestmark = pytest.mark.filterwarnings("ignore:The infinite-width limit of softmax attention")

C, H, T, D = 12, 3, 4, 5
CAUSAL = torch.ones(T, T).tril() == 1


def layers() -> dict[str, Any]:
    """A layer of torch, and the same weights as layers of their own, apart and in one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found: dict[str, Any] = {
            "a": nn.Linear(D, C),
            "whole": nn.MultiheadAttention(C, H, batch_first=True),
            "qkv": nn.Linear(C, 3 * C),
            "o": nn.Linear(C, 1),
            "q": nn.Linear(C, C),
            "k": nn.Linear(C, C),
            "v": nn.Linear(C, C),
            "p": nn.Linear(C, C),
        }
    attention = found["whole"].double()
    for layer in found.values():
        layer.double()
    with torch.no_grad():
        # one mean square for all three, as `qkv` has it
        for part in attention.in_proj_weight.chunk(3):
            part.copy_(part / part.square().mean().sqrt() / 4)
        attention.in_proj_bias.fill_(0.3)
        attention.out_proj.bias.fill_(-0.2)
        found["qkv"].weight.copy_(attention.in_proj_weight.flip(0))
        found["qkv"].bias.copy_(attention.in_proj_bias)
        for name, part in zip("qkv", attention.in_proj_weight.chunk(3), strict=True):
            found[name].weight.copy_(part + 0 if name == "v" else part.flip(0).flip(1))
            found[name].bias.fill_(0.3)
        found["p"].weight.copy_(attention.out_proj.weight.flip(0))
        found["p"].bias.fill_(-0.2)
    return found


def heads(h: Tensor) -> Tensor:
    return h.view(h.shape[0], h.shape[1], H, C // H).transpose(1, 2)


def together(y: Tensor) -> Tensor:
    return y.transpose(1, 2).contiguous().view(y.shape[0], T, C)


def nano(s: Any, h: Tensor, **options: Any) -> Tensor:
    """As in nanoGPT."""
    q, k, v = s.qkv(h).split(C, dim=2)
    y = functional.scaled_dot_product_attention(heads(q), heads(k), heads(v), **options)
    return s.p(together(y))


def mini(s: Any, h: Tensor, mask: Tensor | None = None) -> Tensor:
    """As in minGPT."""
    q, k, v = (heads(layer(h)) for layer in (s.q, s.k, s.v))
    scores = (q @ k.transpose(-2, -1)) * (1.0 / (C // H) ** 0.5)
    if mask is not None:
        scores = scores.masked_fill(mask[None, None, :T, :T] == 0, float("-inf"))
    weights = functional.dropout(functional.softmax(scores, dim=-1), 0.1, s.training)
    return s.p(together(weights @ v))


def timm(s: Any, h: Tensor) -> Tensor:
    """As in timm's vision transformers."""
    n, t, c = h.shape
    qkv = s.qkv(h).reshape(n, t, 3, H, c // H).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    q = q * (c // H) ** -0.5
    weights = (q @ k.transpose(-2, -1)).softmax(dim=-1)
    return s.p((weights @ v).transpose(1, 2).reshape(n, t, c))


def indexed(s: Any, h: Tensor) -> Tensor:
    """As in the vision transformers before them."""
    n, t, c = h.shape
    qkv = s.qkv(h).reshape(n, t, 3, H, c // H).permute(2, 0, 3, 1, 4)
    q, k, v = qkv[0], qkv[1], qkv[2]
    y = functional.scaled_dot_product_attention(q, k, v)
    return s.p(y.transpose(1, 2).flatten(2))


def torchs(s: Any, h: Tensor, **options: Any) -> Tensor:
    return s.whole(h, h, h, need_weights=False, **options)[0]


def single(s: Any, h: Tensor) -> Tensor:
    """One head, without an axis of its own."""
    q, k, v = s.q(h), s.k(h), s.v(h)
    return s.p(torch.softmax(q @ k.mT / C**0.5, -1) @ v)


SAME = {
    "nanoGPT": (nano, torchs),
    "nanoGPT, causal": (
        lambda s, h: nano(s, h, is_causal=True),
        lambda s, h: torchs(s, h, attn_mask=~CAUSAL),
    ),
    "nanoGPT, a mask": (
        lambda s, h: nano(s, h, attn_mask=CAUSAL),
        lambda s, h: torchs(s, h, attn_mask=~CAUSAL, is_causal=True),
    ),
    "nanoGPT, numbers as a mask": (
        lambda s, h: nano(s, h, attn_mask=torch.arange(16.0).view(4, 4)),
        lambda s, h: torchs(s, h, attn_mask=torch.arange(16.0).view(4, 4)),
    ),
    "minGPT": (mini, torchs),
    "minGPT, causal": (
        lambda s, h: mini(s, h, CAUSAL.float()),
        lambda s, h: torchs(s, h, attn_mask=~CAUSAL),
    ),
    "timm": (timm, torchs),
    "indexed": (indexed, torchs),
    "single": (single, torchs),
}


@pytest.mark.parametrize("name", SAME)
def test_attention_written_out_is_the_layer(name: str) -> None:
    one, other = (
        written(layers(), lambda s, x, f=f: s.o(f(s, s.a(x))).mean(1)).double().eval()
        for f in SAME[name]
    )
    x1, x2 = randn(3, T, D), randn(2, T, D, seed=1)
    for make in (ntk, nngp):
        assert_near(make(one)(x1, x2), make(other)(x1, x2), loosen=100)
        assert_near(make(one).diag(x1), make(other).diag(x1), loosen=100)


def test_the_first_of_a_causal_sequence_sees_itself_alone() -> None:
    """Its weight is one: values and output of its own token."""
    parts = layers()
    masked = written(parts, lambda s, x: s.o(nano(s, s.a(x), is_causal=True))[:, 0]).double().eval()
    chain = written(parts, lambda s, x: s.o(s.p(s.v(s.a(x[:, 0]))))).double()
    with torch.no_grad():
        parts["v"].weight.copy_(parts["qkv"].weight[:C])
    x = randn(3, T, D)
    assert_near(nngp(masked)(x), nngp(chain)(x), loosen=100)


REFUSED = {
    "a mask of the points": (
        lambda s, h, x: nano(s, h, attn_mask=(x @ x.mT)[:, None]),
        "must be the same for all points",
    ),
    "a mask of the heads": (
        lambda s, h, x: nano(s, h, attn_mask=torch.zeros(H, T, T)),
        "must be the same for all heads",
    ),
    "a mask of the points for the layer": (
        lambda s, h, x: torchs(s, h, attn_mask=(x @ x.mT).repeat_interleave(H, 0)),
        "`attn_mask` must be the same for all points",
    ),
    "a mask of the heads for the layer": (
        lambda s, h, x: torchs(s, h, attn_mask=torch.zeros(2 * H, T, T)),
        "the same for all heads",
    ),
    "dropout": (lambda s, h, x: nano(s, h, dropout_p=0.1), "Call it with `dropout_p=0`"),
    "without a softmax": (
        lambda s, h, x: s.p((s.q(h) @ s.k(h).mT) @ s.v(h)),
        "meet values without a softmax",
    ),
    "a softmax over queries": (
        lambda s, h, x: s.p((s.q(h) @ s.k(h).mT).softmax(1) @ s.v(h)),
        "over the keys, the last axis",
    ),
    "a low number": (
        lambda s, h, x: s.p((s.q(h) @ s.k(h).mT).masked_fill(~CAUSAL, -1.0).softmax(-1) @ s.v(h)),
        "Fill with `-inf`",
    ),
    "a nonlinearity on heads": (
        lambda s, h, x: s.p(together(torch.relu(heads(s.q(h))))),
        "a rule for self-attention alone",
    ),
    "a layer on heads": (
        lambda s, h, x: s.p(together(s.n(heads(s.q(h))))),
        "a rule for self-attention alone",
    ),
    "heads out of order": (
        lambda s, h, x: s.p(heads(s.q(h)).transpose(1, 3).reshape(h.shape[0], T, C)),
        "a rule for self-attention alone",
    ),
    "values out of a nonlinearity": (
        lambda s, h, x: s.p(
            functional.scaled_dot_product_attention(s.q(h), s.k(h), torch.relu(s.v(h)))
        ),
        "must each come out of a layer with weights",
    ),
    "products alone": (
        lambda s, h, x: s.p((s.q(h) @ s.k(h).mT).softmax(-1).mean(-1, keepdim=True) * h),
        "a rule for self-attention alone",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_attention_is_refused(name: str) -> None:
    parts: dict[str, Any] = {**layers(), "n": nn.LayerNorm(C // H)}
    net = written(parts, lambda s, x: s.o(REFUSED[name][0](s, s.a(x), x)).mean(1)).double().eval()
    with pytest.raises(UnsupportedLayerError, match=f"(?s)At .*{REFUSED[name][1]}"):
        ntk(net)(randn(2, T, D))


def test_the_approximation_is_told() -> None:
    net = written(layers(), lambda s, x: s.o(nano(s, s.a(x))).mean(1)).double()
    with pytest.warns(UserWarning, match="identity query-key covariance approximation"):
        ntk(net)(randn(2, T, D))
