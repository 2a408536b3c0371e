"""Where a unit stands among the channels: right, or refused with the way out; means of outputs."""

from math import sqrt

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Conv1d, Linear
from tests.cases import randn
from tests.ordinary_networks import relu, written
from tests.tolerances import assert_near

D, W = 3, 8


def net_of(forward, **layers: nn.Module | nn.Parameter) -> nn.Module:
    """`a`, `b`, `c` from the inputs, `d` from hidden units, `o` the read-out; and others."""
    g = torch.Generator().manual_seed(0)
    known = {name: Linear(D, W, b_std=0.3, generator=g) for name in "abc"}
    rest = {"d": Linear(W, W, generator=g), "o": Linear(W, 1, b_std=0.5, generator=g)}
    return written({**known, **rest, **layers}, forward).double().eval()


PERM = torch.arange(W - 1, -1, -1)


def cat(*parts: Tensor) -> Tensor:
    return torch.cat(parts, 1)


SHARED = "end in the same weights.*Put a layer with weights at the end of one of them"
GATED = "one unit that many channels share.*Make as many units of it as there are channels"
REFUSED = {
    "itself in another order": (lambda s, x: s.o((lambda h: h + h[:, PERM])(s.a(x))), {}, SHARED),
    "by a list": (
        lambda s, x: s.o((lambda h: h * h[:, [1, 0, *range(2, W)]])(s.a(x))),
        {},
        SHARED,
    ),
    "rolled": (lambda s, x: s.o((lambda h: h + h.roll(1, 1))(s.a(x))), {}, SHARED),
    "flipped": (lambda s, x: s.o((lambda h: h - relu(h).flip(1))(s.a(x))), {}, SHARED),
    "every other": (
        lambda s, x: s.o((lambda h: h[:, ::2] + h[:, 1::2])(s.a(x))),
        {"o": Linear(W // 2, 1)},
        SHARED,
    ),
    "rolled by half, then cut": (
        lambda s, x: s.o((lambda h: h.roll(W // 2, 1)[:, : W // 2] + h[:, W // 2 :])(s.a(x))),
        {"o": Linear(W // 2, 1)},
        SHARED,
    ),
    "channels twice": (
        lambda s, x: s.o(s.a(x)[:, [0, *range(W - 1)]]),
        {},
        "names some of them twice.*Take each once",
    ),
    "two tensors in one sum": (
        lambda s, x: torch.einsum("ni,ni->n", s.a(x), s.b(x)),
        {},
        "takes several results of layers",
    ),
    "flipped points": (lambda s, x: s.o(s.a(x).flip(0)), {}, "no positions"),
    "some points": (lambda s, x: s.o(s.a(x)[[1, 0]]), {}, "some of the points"),
    "a nonlinearity behind one gate for all": (
        lambda s, x: s.o(relu(s.d(relu(s.a(x)) * torch.sigmoid(s.g(x))))),
        {"g": Linear(D, 1)},
        GATED,
    ),
    "a nonlinearity of a gated sum": (
        lambda s, x: s.o(torch.tanh(s.a(x) + s.b(x)[:, :1])),
        {},
        GATED,
    ),
    "a nonlinearity behind one unit added to all inputs": (
        lambda s, x: s.o(relu(s.h(x + s.g(x)))),
        {"g": Linear(D, 1), "h": Linear(D, W)},
        GATED,
    ),
    "one unit or many channels": (
        lambda s, x: s.o(relu(s.d(torch.where(x[:, :1] > 0, s.g(x), s.a(x))))),
        {"g": Linear(D, 1)},
        GATED,
    ),
    "one unit and a bias of many channels": (
        lambda s, x: s.o(relu(s.g(x) + s.p)),
        {"g": Linear(D, 1), "p": nn.Parameter(randn(W))},
        GATED,
    ),
    "one unit and scales of many channels": (
        lambda s, x: s.o(relu(s.g(x) * s.p)),
        {"g": Linear(D, 1), "p": nn.Parameter(randn(W))},
        GATED,
    ),
    "a norm of gated units": (
        lambda s, x: s.o(s.n(s.a(x) * s.g(x))),
        {"g": Linear(D, 1), "n": nn.LayerNorm(W)},
        GATED,
    ),
    "a gate meets what it has gated": (
        lambda s, x: (lambda g: s.o(s.d(s.a(x) * g) * g))(s.g(x)),
        {"g": Linear(D, 1)},
        SHARED,
    ),
    "two branches that one gate has raised": (
        lambda s, x: (lambda g: s.o(relu(s.a(x)) * g + relu(s.b(x)) * g))(s.g(x)),
        {"g": Linear(D, 1)},
        SHARED,
    ),
    "groups of a concatenation": (
        lambda s, x: s.g(cat(s.a(x), 0.1 * s.b(x))[:, :, None]).mean(2),
        {"g": nn.Conv1d(2 * W, 2, 1, groups=2)},
        "in a concatenation .* these differ.*Use a layer for each part, or `groups=1`",
    ),
    "channels of a concatenation's sum": (
        lambda s, x: s.o((cat(s.a(x), 0.1 * s.b(x)) + s.g(x))[:, :W]),
        {"g": Linear(D, 2 * W)},
        "channels differ. Take them before that",
    ),
    "a product of concatenations that do not fit": (
        lambda s, x: s.o(cat(s.a(x), 0.1 * s.b(x)) * cat(s.c(x)[:, :2], s.g(x))),
        {"g": Linear(D, 2 * W - 2, w_std=0.1), "o": Linear(2 * W, 1)},
        "the product of their means is not the mean of their products",
    ),
    "unlike heads": (
        lambda s, x: cat(s.o(s.a(x)), s.g(s.b(x))),
        {"g": Linear(W, 3, w_std=0.1)},
        r"whose kernels differ.*Return the parts as a tuple \(`return a, b`\)",
    ),
    "heads of another depth": (
        lambda s, x: cat(s.a(x), s.d(s.b(x))),
        {},
        "whose kernels differ",
    ),
    "a head beside the points": (
        lambda s, x: cat(s.a(x), x),
        {},
        "parts differ.*Let a layer with weights come last",
    ),
    "unlike heads, summed": (
        lambda s, x: cat(s.a(x), 0.1 * s.b(x)) + s.g(x),
        {"g": Linear(D, 2 * W)},
        "parts differ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_units_that_do_not_stand_for_all_are_refused(name: str) -> None:
    forward, layers, why = REFUSED[name]
    with pytest.raises(UnsupportedLayerError, match=f"(?s)At .*test_structure.py.*{why}"):
        ntk(net_of(forward, **layers))(randn(2, D))


SAME = {
    "in another order": (lambda s, x: s.o(s.a(x)[:, PERM]), lambda s, x: s.o(s.a(x))),
    "flipped": (lambda s, x: s.o(relu(s.a(x).flip(1))), lambda s, x: s.o(relu(s.a(x)))),
    "rolled": (lambda s, x: s.o(s.a(x).roll(3, 1)), lambda s, x: s.o(s.a(x))),
    "reordered units of other weights": (
        lambda s, x: s.o(s.a(x) + s.b(x)[:, PERM]),
        lambda s, x: s.o(s.a(x) + s.b(x)),
    ),
    "a part of a concatenation": (
        lambda s, x: s.o(relu(cat(s.a(x), 0.1 * s.b(x))[:, :W])),
        lambda s, x: s.o(relu(s.a(x))),
    ),
    "chunks of a concatenation": (
        lambda s, x: (lambda h: s.o(h[0] * h[1]))(cat(s.a(x), s.b(x)).chunk(2, 1)),
        lambda s, x: s.o(s.a(x) * s.b(x)),
    ),
    "cut and put together": (
        lambda s, x: s.o(relu(torch.cat(s.a(x).chunk(2, -1), -1))),
        lambda s, x: s.o(relu(s.a(x))),
    ),
    "cut by hand and put together": (
        lambda s, x: (lambda h: s.o(h + relu(cat(h[:, :3], h[:, 3:]))))(s.a(x)),
        lambda s, x: (lambda h: s.o(h + relu(h)))(s.a(x)),
    ),
    "like heads": (lambda s, x: cat(s.a(x), s.b(x)), lambda s, x: s.a(x)),
}


@pytest.mark.parametrize("name", SAME)
def test_orders_and_parts_that_change_nothing(name: str) -> None:
    x1, x2 = randn(3, D), randn(2, D, seed=1)
    one, other = map(net_of, SAME[name])
    for make in (ntk, nngp):
        assert_near(make(one)(x1, x2), make(other)(x1, x2), loosen=100)
        assert_near(make(one).diag(x1), make(other).diag(x1), loosen=100)


def test_products_of_concatenations_that_fit_are_those_of_their_parts() -> None:
    """The mean over the parts: `(k(a c) + k(b d)) / 2`."""
    layers = {"o": Linear(2 * W, 1, bias=False), "g": Linear(D, W, w_std=0.1)}
    whole = net_of(lambda s, x: s.o(cat(s.a(x), 0.1 * s.b(x)) * cat(s.c(x), s.g(x))), **layers)
    first = net_of(lambda s, x: s.o(s.a(x) * s.c(x)), **{**layers, "o": Linear(W, 1, bias=False)})
    second = net_of(
        lambda s, x: s.o(0.1 * s.b(x) * s.g(x)), **{**layers, "o": Linear(W, 1, bias=False)}
    )
    x = randn(3, D)
    for make in (ntk, nngp):
        assert_near(make(whole)(x), (make(first)(x) + make(second)(x)) / 2, loosen=100)


@pytest.mark.parametrize("bend", [relu, lambda h: h])
@pytest.mark.parametrize("n", [1, 5, 12])
def test_flattened_positions_beside_a_vector(n: int, bend) -> None:
    """Weights see features by their numbers: 96 of 12 positions, 8 of a vector."""

    def convolution() -> nn.Module:
        return Conv1d(4, 8, 3, padding=1, b_std=0.4)

    layers = {"a": convolution(), "b": Linear(48, 8, b_std=0.7)}
    after = {
        "before": lambda s, x: s.o(cat(bend(s.a(x)).flatten(1), bend(s.b(x.flatten(1))))),
        "after": lambda s, x: s.o(bend(cat(s.b(x.flatten(1)), s.a(x).flatten(1)))),
    }
    x = randn(n, 4, 12)
    first = net_of(
        lambda s, x: s.o(bend(s.a(x)).flatten(1)), a=convolution(), o=Linear(96, 1, bias=False)
    )
    second = net_of(
        lambda s, x: s.o(bend(s.b(x.flatten(1)))), b=layers["b"], o=Linear(8, 1, bias=False)
    )
    for forward in after.values():
        whole = net_of(forward, **layers, o=Linear(104, 1, bias=False))
        for make in (ntk, nngp):
            expected = (96 * make(first)(x) + 8 * make(second)(x)) / 104
            assert_near(make(whole)(x), expected, loosen=100)
            assert_near(make(whole).diag(x), expected.diagonal(), loosen=100)


def test_flattened_positions_of_two_lengths() -> None:
    long, short = Conv1d(4, 8, 3), Conv1d(4, 8, 3, stride=3)
    forward = lambda s, x: s.o(cat(relu(s.a(x)).flatten(1), relu(s.b(x)).flatten(1)))  # noqa: E731
    whole = net_of(forward, a=long, b=short, o=Linear(80 + 32, 1, bias=False))
    x = randn(4, 4, 12)
    alone = {
        conv: net_of(lambda s, x: s.o(relu(s.a(x)).flatten(1)), a=conv, o=Linear(n, 1, bias=False))
        for conv, n in ((long, 80), (short, 32))
    }
    for make in (ntk, nngp):
        expected = (80 * make(alone[long])(x) + 32 * make(alone[short])(x)) / 112
        assert_near(make(whole)(x), expected, loosen=100)
        assert_near(make(whole)(x[:2], x), expected[:2], loosen=100)


def test_a_norm_of_flattened_positions_beside_a_vector_is_refused() -> None:
    layers = {"a": Conv1d(4, 8, 3), "b": Linear(48, 8), "n": nn.LayerNorm(88), "o": Linear(88, 1)}
    net = net_of(lambda s, x: s.o(s.n(cat(s.a(x).flatten(1), s.b(x.flatten(1))))), **layers)
    with pytest.raises(UnsupportedLayerError, match="Normalise the parts before"):
        ntk(net)(randn(2, 4, 12))


def moments(function, cov: Tensor) -> Tensor:
    """`Cov(s(u), s(v))` of Gaussian pairs with the covariances `cov`, by a rule of 120 x 120 nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    z, w = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    found = torch.empty_like(cov)
    for i in range(len(cov)):
        for j in range(len(cov)):
            u = cov[i, i].sqrt() * z[:, None]
            rho = cov[i, j] / (cov[i, i] * cov[j, j]).sqrt()
            v = cov[j, j].sqrt() * (rho * z[:, None] + sqrt(max(0, 1 - rho**2)) * z)
            left, right = function(u).expand(120, 120), function(v)
            mean1, mean2 = (w @ f @ w for f in (left, right))
            found[i, j] = w @ (left * right) @ w - mean1 * mean2
    return found


MEANS = {
    "a constant": (lambda s, x: s.o(s.a(x)) + 3, lambda u: u),
    "multiples of a constant": (lambda s, x: 2 * (1 - s.o(s.a(x))), lambda u: 2 * u),
    "a sigmoid": (lambda s, x: torch.sigmoid(s.o(s.a(x))), torch.sigmoid),
    "a square": (lambda s, x: s.o(s.a(x)) ** 2, lambda u: u**2),
    "a softplus and a constant": (
        lambda s, x: nn.functional.softplus(s.o(s.a(x))) + 1e-3,
        nn.functional.softplus,
    ),
    "the input": (lambda s, x: x[:, :1] + s.o(s.a(x)), lambda u: u),
    "the input and a constant": (lambda s, x: s.o(s.a(x)) + 2 * (x[:, :1] - 7), lambda u: u),
    "one unit": (lambda s, x: torch.sigmoid(s.o(s.a(x)))[:, 0], torch.sigmoid),
}


@pytest.mark.parametrize("name", MEANS)
def test_a_covariance_is_without_the_mean(name: str) -> None:
    forward, function = MEANS[name]
    x = randn(4, D)
    inner = nngp(net_of(lambda s, x: s.o(s.a(x))))(x)
    found = nngp(net_of(forward))
    assert_near(found(x), moments(function, inner), loosen=1e4)
    assert_near(found.diag(x), found(x).diagonal(), loosen=100)


def test_means_of_pooled_outputs() -> None:
    """`Cov(sum u, sum v)` is the sum of the covariances of all pairs of positions."""
    x = randn(3, 2, 4)
    layer = Conv1d(2, 8, 2, b_std=0.5)
    pairs = nngp(nn.Sequential(layer, nn.ReLU()), positions="pairs")(x)
    pooled = nngp(nn.Sequential(layer, nn.ReLU(), nn.AvgPool1d(3)))(x)
    assert_near(pooled[..., 0], pairs.mean((2, 3)), loosen=100)
    inner = nngp(layer, positions="pairs")(x)
    flat = inner.permute(0, 2, 1, 3).reshape(9, 9)
    expected = moments(relu, flat).reshape(3, 3, 3, 3).permute(0, 2, 1, 3)
    assert_near(pairs, expected, loosen=3e13)  # the rule of the oracle knows no kinks: 1e-3


def test_a_sum_of_means() -> None:
    """Independent branches: the covariances add."""
    x = randn(3, D)
    whole = nngp(net_of(lambda s, x: relu(s.a(x)) - 2 * torch.sigmoid(s.b(x))))(x)
    first = nngp(net_of(lambda s, x: relu(s.a(x))))(x)
    second = nngp(net_of(lambda s, x: torch.sigmoid(s.b(x))))(x)
    assert_near(whole, first + 4 * second, loosen=1e4)


def test_a_mean_that_is_not_known_is_told() -> None:
    net = net_of(lambda s, x: s.n(relu(s.a(x))), n=nn.RMSNorm(W, elementwise_affine=False))
    with pytest.warns(UserWarning, match="have a mean that is not known.*second moments"):
        nngp(net)(randn(2, D))
    with pytest.warns(UserWarning, match="comes after the last layer with weights") as seen:
        ntk(net)(randn(2, D))
    assert len(seen) == 1  # the tangent kernel takes no mean off
