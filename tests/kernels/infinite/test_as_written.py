"""What people write around the layers: it is read as the plain network that it is, or refused."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.front.trace import NeedsPointsError
from ntkit.networks import Elementwise, Linear
from tests.cases import randn
from tests.ordinary_networks import relu, written
from tests.tolerances import assert_near

D, W, T = 3, 8, 4


def net_of(forward, **layers: nn.Module | nn.Parameter) -> nn.Module:
    """Hidden layers `a`, `b` from the inputs, `d`, and two read-outs; and others."""
    g = torch.Generator().manual_seed(0)
    known = {
        "a": Linear(D, W, b_std=0.3, generator=g),
        "b": Linear(D, W, w_std=0.5, generator=g),
        "d": Linear(W, W, generator=g),
        "o": Linear(W, 1, b_std=0.5, generator=g),
        "p": Linear(W, 1, w_std=2.0, generator=g),
    }
    return written({**known, **layers}, forward).double().eval()


def plain(s: Any, x: Any) -> Tensor:
    return s.o(relu(s.a(x)))


def kept(x: Tensor) -> Tensor:
    """A mask that comes with the points."""
    return x[..., :1] > 0


TABLE = nn.Embedding(T + 2, W)

SAME = {
    "squeezed": (lambda s, x: plain(s, x).squeeze(-1), plain),
    "squeezed without axes": (lambda s, x: plain(s, x).squeeze(), plain),
    "the first of one": (lambda s, x: plain(s, x)[:, 0], plain),
    "the second of many": (lambda s, x: s.d(relu(s.a(x)))[:, 1], lambda s, x: s.d(relu(s.a(x)))),
    "viewed": (lambda s, x: plain(s, x).view(-1), plain),
    "squeezed and back": (
        lambda s, x: 2 * plain(s, x).squeeze(-1)[:, None],
        lambda s, x: 2 * plain(s, x),
    ),
    "squeezed, then a bias": (
        lambda s, x: plain(s, x).squeeze(-1) + s.bias,
        lambda s, x: plain(s, x) + s.bias,
    ),
    "stacked and summed": (
        lambda s, x: torch.stack([plain(s, x), s.p(relu(s.b(x)))], 1).sum(1),
        lambda s, x: plain(s, x) + s.p(relu(s.b(x))),
    ),
    "stacked at the end": (
        lambda s, x: torch.stack((plain(s, x), s.p(relu(s.b(x)))), dim=-1).mean(-1),
        lambda s, x: (plain(s, x) + s.p(relu(s.b(x)))) / 2,
    ),
    "side by side": (
        lambda s, x: s.q(relu(torch.hstack([s.a(x), s.b(x)]))),
        lambda s, x: s.q(torch.cat([relu(s.a(x)), relu(s.b(x))], 1)),
    ),
    "detached gate": (
        lambda s, x: s.o((lambda h: h * torch.sigmoid(h.detach()))(s.a(x))),
        lambda s, x: s.o((lambda h: h * torch.sigmoid(h).detach())(s.a(x))),
    ),
}

OF_TOKENS = {
    "masked fill": (
        lambda s, x: plain(s, x).masked_fill(kept(x), 0.0).sum(1),
        lambda s, x: (plain(s, x) * (~kept(x))).sum(1),
    ),
    "where, or a number": (
        lambda s, x: s.o(relu(s.d(torch.where(kept(x), s.a(x), 0.0)))).mean(1),
        lambda s, x: s.o(relu(s.d(s.a(x) * kept(x)))).mean(1),
    ),
    "where, or zeros": (
        lambda s, x: (lambda h: s.o(h.where(kept(x), torch.zeros_like(h))))(s.a(x)).mean(1),
        lambda s, x: s.o(s.a(x) * kept(x)).mean(1),
    ),
    "where, or another": (
        lambda s, x: s.o(relu(torch.where(kept(x), s.a(x), s.b(x)))).mean(1),
        lambda s, x: s.o(relu(s.a(x) * kept(x) + s.b(x) * (~kept(x)))).mean(1),
    ),
    "a fixed mask": (
        lambda s, x: s.o((s.a(x) * torch.arange(float(T))[:, None]).sum(1)),
        lambda s, x: s.o((s.a(x) * (torch.arange(float(T))[:, None] + 0 * x[..., :1])).sum(1)),
    ),
    "a table of positions": (
        lambda s, x: s.o(relu(s.a(x) + s.e(torch.arange(x.shape[1], device=x.device)))).mean(1),
        lambda s, x: s.o(relu(s.a(x) + s.table[:T])).mean(1),
    ),
    "one unit at each position": (
        lambda s, x: s.o(relu(s.a(x))).squeeze(-1).mean(1),
        lambda s, x: s.o(relu(s.a(x))).mean(1),
    ),
    "one unit at each position, weighed": (
        lambda s, x: (s.o(relu(s.a(x))).squeeze(-1) * x[..., 0]).sum(1),
        lambda s, x: (s.o(relu(s.a(x))) * x[..., :1]).sum(1),
    ),
    "one unit at each position, as features": (
        lambda s, x: s.r(s.o(relu(s.a(x))).squeeze(-1)),
        lambda s, x: s.r(s.o(relu(s.a(x))).flatten(1)),
    ),
    "positions in another order": (
        lambda s, x: s.o((relu(s.a(x))[:, [3, 0, 2, 1]] * torch.arange(float(T))[:, None]).sum(1)),
        lambda s, x: s.o((relu(s.a(x)) * torch.tensor([1.0, 3.0, 2.0, 0.0])[:, None]).sum(1)),
    ),
}


@pytest.mark.parametrize("name", [*SAME, *OF_TOKENS])
def test_it_is_the_plain_network(name: str) -> None:
    layers = {"q": Linear(2 * W, 1), "r": Linear(T, 1)}
    bias, table = (nn.Parameter(p.clone()) for p in (torch.tensor([0.7]), TABLE.weight.detach()))
    by_hand, as_layer = {"bias": bias, "table": table}, {"bias": bias, "e": TABLE}
    first, second = {**SAME, **OF_TOKENS}[name]
    one, other = net_of(first, **layers, **as_layer), net_of(second, **layers, **by_hand)
    shape = (T, D) if name in OF_TOKENS else (D,)
    x1, x2 = randn(3, *shape), randn(2, *shape, seed=1)
    for make in (ntk, nngp):
        found, expected = make(one)(x1, x2), make(other)(x1, x2)
        assert_near(found.reshape(expected.shape), expected, loosen=100)
        on_diagonal = make(one).diag(x1)
        assert_near(on_diagonal, make(other).diag(x1).reshape(on_diagonal.shape), loosen=100)


def test_pieces_are_outputs_of_their_own() -> None:
    net = net_of(lambda s, x: s.d(relu(s.a(x))).chunk(2, -1))
    x = randn(3, D)
    first, second = ntk(net)(x)
    expected = ntk(net_of(lambda s, x: s.d(relu(s.a(x)))))(x)
    assert_near(first, expected)
    assert_near(second, expected)


def test_a_scale_without_gradients() -> None:
    """FINER, `sin(w s u)` with `s = |u| + 1` held fixed: its slope is `w s cos(w s u)`."""

    def forward(s: Any, x: Tensor) -> Tensor:
        h = s.a(x)
        with torch.no_grad():
            scale = torch.abs(h) + 1
        return s.o(torch.sin(1.5 * scale * h))

    def slope(u: Tensor) -> Tensor:
        return 1.5 * (u.abs() + 1) * torch.cos(1.5 * (u.abs() + 1) * u)

    def value(u: Tensor) -> Tensor:
        return torch.sin(1.5 * (u.abs() + 1) * u)

    x, last = randn(3, D) / 4, Linear(W, 1, bias=False)
    first = Linear(D, W, w_std=0.7, bias=False)

    def second_moment(function) -> Tensor:
        bend = Elementwise(function, kinks=(0.0,))
        return nngp(net_of(lambda s, x: s.o(s.bend(s.a(x))), bend=bend, o=last, a=first))(x)

    inner = nngp(net_of(lambda s, x: s.a(x), a=first))(x)
    net = net_of(forward, o=last, a=first)
    assert_near(nngp(net)(x), second_moment(value), loosen=1e4)
    assert_near(ntk(net)(x), second_moment(value) + inner * second_moment(slope), loosen=1e4)


SIGNATURES = {
    "mask=None": lambda s, x, mask=None: plain(s, x if mask is None else x * mask),
    "scale=2.0": lambda s, x, scale=2.0: plain(s, x) * (scale / 2),
    "flags": lambda s, x, return_features=False: s.a(x) if return_features else plain(s, x),
    "args": lambda s, *args: plain(s, args[0]),
    "more args": lambda s, x, *args: plain(s, x),
    "keywords": lambda s, x, **options: plain(s, x),
    "only keywords": lambda s, x, *, flag=True: plain(s, x if flag else 2 * x),
    "len(x)": lambda s, x: plain(s, x.view(len(x), -1)),
    "len(x) as an argument": lambda s, x: plain(s, torch.reshape(x, (len(x), D))),
    "all sizes": lambda s, x: plain(s, (lambda n, *rest: x.view(n, *rest))(*x.shape)),
    "a loop over sizes": lambda s, x: plain(s, sum(x for _ in range(x.shape[1])) / D),
    "a branch on sizes": lambda s, x: plain(s, x if x.ndim == 2 and x.size(-1) == D else 2 * x),
    "a branch on the number of points": lambda s, x: plain(s, x if x.shape[0] > 0 else 2 * x),
    "a branch on dim": lambda s, x: plain(s, x if x.dim() == 2 else 2 * x),
}


def with_signature(forward) -> nn.Module:
    """A module whose class has this very forward."""
    net = net_of(plain)
    type(net).forward = forward
    return net


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_with_defaults_and_questions_about_shapes(name: str) -> None:
    x1, x2 = randn(5, D), randn(2, D, seed=1)
    kernel, expected = ntk(with_signature(SIGNATURES[name])), ntk(net_of(plain))
    assert_near(kernel(x1), expected(x1), loosen=10)
    assert_near(kernel(x1, x2), expected(x1, x2), loosen=10)
    assert_near(kernel.diag(x1), expected.diag(x1), loosen=10)
    assert not kernel.is_stationary
    assert repr(kernel) == repr(expected)


def asserting(s: Any, x: Tensor) -> Tensor:
    assert x.shape[-1] in {D, 2 * D}, "features"
    return plain(s, x[:, :D])


def test_assertions_hold_or_are_told() -> None:
    kernel = ntk(with_signature(asserting))
    assert repr(kernel) == "<ntk of unread layers, measured variances>"
    with pytest.raises(NeedsPointsError, match=r"features.*before it is known which points"):
        kernel.layer_sizes()
    x = randn(4, D)
    assert torch.equal(kernel(x), ntk(net_of(plain))(x))
    assert torch.equal(kernel(torch.cat([x, x], 1)), kernel(x))
    with pytest.raises(UnsupportedLayerError, match=r"(?s)assert x.shape.*: features"):
        kernel(randn(4, D + 1))


def test_an_optional_input_may_be_given() -> None:
    x, mask = randn(4, D), randn(4, 1)
    kernel, expected = ntk(with_signature(SIGNATURES["mask=None"])), ntk(net_of(plain))
    assert_near(kernel((x, mask)), expected(x * mask))
    assert_near(kernel(x), expected(x))
    needed = ntk(with_signature(lambda s, x, mask=None: plain(s, x * mask)))
    assert_near(needed((x, mask)), expected(x * mask))
    with pytest.raises(ValueError, match="`x1` has 3 tensors for a module with at least 1 inputs"):
        kernel((x, x, x))


REFUSED = {
    "filled with infinity": (
        lambda s, x: s.o(s.a(x).masked_fill(kept(x), float("-inf"))),
        "replaced by infinity.*Fill with a finite number",
    ),
    "where, or features": (
        lambda s, x: s.d(torch.where(kept(x), s.a(x), x[..., :1])),
        "replaced by something else than a number",
    ),
    "where units say": (
        lambda s, x: s.o(torch.where(s.a(x) > 0, s.b(x), 0.0)),
        "no rule for `gt`",
    ),
    "where alone": (lambda s, x: (torch.where(s.a(x)), plain(s, x))[1], "only `where"),
    "rows of a table by the points": (
        lambda s, x: s.o(s.a(x) + s.e(x[..., 0].long())),
        "tokens are integers.*Pass one-hot vectors",
    ),
    "rows of a table twice": (
        lambda s, x: s.o(s.a(x) + s.e(torch.tensor([0, 0]))),
        "tokens are integers",
    ),
    "features stacked with units": (
        lambda s, x: s.o(torch.stack([s.d(s.a(x)), x.repeat(1, 3)[:, :W]], 1).mean(1)),
        "features are stacked with units",
    ),
    "pieces several at once": (
        lambda s, x: torch.cat(s.a(x).chunk(2, -1)[::-1], -1),
        "taken at once. Take them one by one",
    ),
    "one unit and features": (
        lambda s, x: plain(s, x)[:, 0] + x[:, 0],
        "without its axis. Add them before",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_at_its_line(name: str) -> None:
    forward, why = REFUSED[name]
    with pytest.raises(UnsupportedLayerError, match=f"(?s)At .*test_as_written.py.*{why}"):
        ntk(net_of(forward, e=nn.Embedding(T, W)))(randn(2, D))


def test_a_loop_over_points_is_refused() -> None:
    net = with_signature(lambda s, x: plain(s, sum(x * k for k in range(len(x)))))
    with pytest.raises(
        UnsupportedLayerError, match=r"makes other calls of more points.*`len\(x\)`"
    ):
        ntk(net)(randn(2, D))
    net = with_signature(lambda s, x: plain(s, x / (2 * len(x))))
    with pytest.raises(UnsupportedLayerError, match=r"makes 4 and 6 of more points"):
        ntk(net)(randn(2, D))
