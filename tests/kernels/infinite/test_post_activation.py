"""Blocks `relu(x + f(x))` behind a ReLU: one has a value, two in a row are refused."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.residual import residual_moments
from ntkit.kernels.infinite.program.ops.residual import BendResidual
from ntkit.networks import Conv1d, Linear
from tests.cases import randn, seeded
from tests.kernels.infinite.drawn import is_mean_of_draws
from tests.ordinary_networks import relu, written
from tests.tolerances import assert_near

D, T, W = 3, 4, 128


def net_of(forward: Callable[[Any, Tensor], Tensor], width: int = W) -> nn.Module:
    r = seeded()
    dense = {k: Linear(width, width, w_std=1.3, b_std=0.3, generator=r) for k in "bcdefg"}
    convs = {f"k{k}": Conv1d(width, width, 2, w_std=1.3, generator=r) for k in range(2)}
    return (
        written(
            {
                **dense,
                **convs,
                "a": Linear(D, width, w_std=1.3, b_std=0.3, generator=r),
                "v": Conv1d(D, width, 2, b_std=0.3, generator=r),
                "o": Linear(width, 2, b_std=0.5, generator=r),
            },
            forward,
        )
        .double()
        .eval()
    )


def block(s: Any, x: Tensor) -> Tensor:
    """A block, a projection, and a block."""
    h = relu(s.a(x))
    h = relu(h + s.c(relu(s.b(h))))
    h = relu(s.d(h) + s.e(h))
    return s.o(relu(0.5 * h - s.g(relu(s.f(h)))))


def images(s: Any, x: Tensor) -> Tensor:
    """A block of convolutions, pooled."""
    h = relu(s.v(x))
    pad = nn.functional.pad
    return s.o(relu(h + s.k1(relu(s.k0(pad(h, (1, 1)))))).mean(2))


DRAWN = {"dense": (block, (D,)), "convolutions": (images, (D, T))}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(("make", "count"), [(nngp, 1000), (ntk, 40)], ids=["nngp", "ntk"])
def test_drawn_networks_have_these_kernels(name: str, make: Any, count: int) -> None:
    forward, shape = DRAWN[name]
    assert is_mean_of_draws(make(net_of(forward)), randn(3, *shape), count, W, within=0.1)


def test_small_networks_have_this_covariance() -> None:
    net = net_of(lambda s, x: (lambda h: s.o(relu(h + s.b(h))))(relu(s.a(x))), width=48)
    assert is_mean_of_draws(nngp(net), randn(2, D), 300, 48, within=0.1)


def test_both_tangent_kernels_go_through() -> None:
    """`ntk = nngp + Theta_u E[d z / d u ...] + Theta_g E[d z / d g ...]`, of the layers' own kernels."""
    x = randn(4, D)
    whole = net_of(lambda s, x: (lambda h: s.o(relu(h + s.b(h))))(relu(s.a(x))), width=8)
    parts = [net_of(f, width=8) for f in (lambda s, x: s.a(x), lambda s, x: s.b(relu(s.a(x))))]
    u, g = (nngp(part)(x) for part in parts)
    found = residual_moments(*(as_pair(table) for table in (u, g)))
    assert_near(nngp(whole)(x), found.cov + 0.25)
    tangents = [ntk(part)(x) for part in parts]
    expected = found.cov + 0.25 + tangents[0] * found.slope_u + tangents[1] * found.slope_g
    assert_near(ntk(whole)(x), expected)


def as_pair(table: Tensor) -> Pair:
    """All pairs of a covariance matrix."""
    var1, var2 = table.diagonal()[:, None], table.diagonal()[None]
    norms = (var1 * var2).sqrt()
    return Pair(table, 2 * (norms - table), 2 * (norms + table), var1, var2)


@pytest.mark.parametrize("make", [ntk, nngp])
@pytest.mark.parametrize("name", DRAWN)
def test_diagonals_and_parts_are_those_of_the_whole(name: str, make: Any) -> None:
    forward, shape = DRAWN[name]
    kernel, x = make(net_of(forward, width=8)), randn(4, *shape)
    whole = kernel(x)
    assert_near(kernel.diag(x), whole.diagonal(), loosen=1e3)
    assert_near(kernel(x[:2], x), whole[:2], loosen=1e3)
    assert bool((torch.linalg.eigvalsh(whole) > 0).all())


SAME = {
    "the order of a sum": lambda s, x: (lambda h: s.o(relu(s.c(s.b(h)) + h)))(relu(s.a(x))),
    "twice the half": lambda s, x: (lambda h: s.o(2 * relu(h / 2 + 0.5 * s.c(s.b(h)))))(
        relu(s.a(x))
    ),
    "in place": lambda s, x: (lambda h: s.o(nn.functional.relu(h + s.c(s.b(h)), inplace=True)))(
        relu(s.a(x))
    ),
}


@pytest.mark.parametrize("make", [ntk, nngp])
@pytest.mark.parametrize("name", SAME)
def test_ways_to_write_a_block(name: str, make: Any) -> None:
    x = randn(3, D)
    one = net_of(lambda s, x: (lambda h: s.o(relu(h + s.c(s.b(h)))))(relu(s.a(x))), width=8)
    assert_near(make(net_of(SAME[name], width=8))(x), make(one)(x), loosen=1e3)


REFUSED = {
    "two blocks": lambda s, x: (lambda h: s.o(relu(h + s.c(h))))(
        (lambda h: relu(h + s.b(h)))(relu(s.a(x)))
    ),
    "another nonlinearity": lambda s, x: (lambda h: s.o(torch.tanh(h + s.b(h))))(relu(s.a(x))),
    "out of another one": lambda s, x: (lambda h: s.o(relu(h + s.b(h))))(torch.tanh(s.a(x))),
    "a shortcut that is taken off": lambda s, x: (lambda h: s.o(relu(s.b(h) - h)))(relu(s.a(x))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_rule(name: str) -> None:
    why = "not Gaussian.*pre-activation, or a projection in the shortcut"
    with pytest.raises(UnsupportedLayerError, match=f"(?s){why}"):
        ntk(net_of(REFUSED[name], width=8))(randn(2, D))


def test_gradients_are_refused() -> None:
    x = randn(2, D).requires_grad_()
    with pytest.raises(UnsupportedLayerError, match="Take differences of values"):
        ntk(net_of(block, width=8))(x)


class Block(nn.Module):
    """A block in standard parametrisation with normalisation, in a class that pickles."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv, self.norm = (
            nn.Conv2d(2, 64, 3),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.BatchNorm2d(64),
        )
        self.head = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.stem(x))
        return self.head(relu(h + self.norm(self.conv(h))).mean((2, 3)))


def test_programs_with_blocks_are_data() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Block().double().eval()
    kernel, x = ntk(net, variances="default"), randn(2, 2, 5, 5)
    expected = kernel(x)
    assert torch.equal(pickle.loads(pickle.dumps(kernel))(x), expected)
    (at_shape,) = kernel._at_shapes.values()
    program = at_shape.bound().program
    assert any(isinstance(op, BendResidual) for op in program.ops)
    assert hash(program) == hash(pickle.loads(pickle.dumps(program)))
    assert "BendResidual" in str(program)
