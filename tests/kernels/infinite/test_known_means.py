"""Units around known means: numbers, tables, the points' own features, before nonlinearities and at the end."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear, Sine
from tests.cases import randn, seeded
from tests.ordinary_networks import relu, written
from tests.tolerances import assert_near

D, W, T = 3, 8, 4
TABLE = 1.5 + torch.stack([torch.sin(torch.arange(T) * 10.0 ** (-k / W) + k) for k in range(W)], 1)
"""Numbers with a mean, so that none of them is taken for a draw."""


def net_of(
    forward: Callable[[Any, Tensor], Tensor], table: Tensor = TABLE, *, trained: bool = False
) -> nn.Module:
    """Layers `a`, `c` of the inputs, `b`, `o`; a table as the buffer `t` and as the parameter `p`."""
    g = torch.Generator().manual_seed(0)
    layers: dict[str, Any] = {
        "a": Linear(D, W, b_std=0.3, generator=g),
        "b": Linear(W, W, b_std=0.3, generator=g),
        "c": Linear(D, W, w_std=0.5, generator=g),
        "o": Linear(W, 1, bias=False, generator=g),
        "n": nn.LayerNorm(W, eps=0.0, elementwise_affine=False),
        "g": nn.GroupNorm(2, W),
        "wave": Sine(2.0),
        "p": nn.Parameter(table.clone(), requires_grad=trained),
    }
    net = written(layers, forward)
    net.register_buffer("t", table.clone())
    return net.double().eval()


BENDS = {
    "relu": torch.relu,
    "hardtanh": functional.hardtanh,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "sine": lambda h: torch.sin(2 * h),
    "by hand": lambda h: h * torch.sigmoid(h),
}


@pytest.mark.parametrize("make", [ntk, nngp])
@pytest.mark.parametrize("name", BENDS)
def test_a_table_of_one_number_is_that_number(name: str, make) -> None:
    """Against the function of `h + 0.7`, which is integrated as one activation."""
    bend, x = BENDS[name], randn(3, D)
    x[2] = x[1]
    one = net_of(lambda s, x: s.o(bend(s.a(x) + s.t)), torch.full((W,), 0.7, dtype=torch.float64))
    other = net_of(lambda s, x: s.o(bend(s.a(x) + 0.7)))
    assert_near(make(one)(x), make(other)(x), loosen=1e4)


@pytest.mark.parametrize("make", [ntk, nngp])
def test_tables_are_averaged_over_channels_and_positions(make) -> None:
    """A table of two numbers, each for half of the channels, flattened: the mean of four networks."""
    numbers = torch.tensor([[0.5, -1.0], [2.0, 0.0]], dtype=torch.float64)
    table = numbers.repeat_interleave(W // 2, 1)
    last = Linear(2 * W, 1, bias=False)

    def forward(s: Any, x: Tensor) -> Tensor:
        return s.last(functional.gelu(s.a(x) + s.t).flatten(1))

    net = net_of(forward, table)
    net.last = last.double()
    x = randn(3, 2, D)
    parts = [
        make(net_of(lambda s, x, number=number: s.o(functional.gelu(s.a(x) + number))))(x[:, k])
        for k, row in enumerate(numbers.tolist())
        for number in row
    ]
    assert_near(make(net)(x), torch.stack(parts).mean(0), loosen=1e4)


SAME = {
    "one of many outputs": (
        lambda s, x: torch.sigmoid(s.b(relu(s.a(x)))[..., :1] + x[..., :1]),
        lambda s, x: torch.sigmoid(x[..., :1] + s.b(relu(s.a(x)))[..., 2:3]),
    ),
    "times a number": (
        lambda s, x: s.o(relu(-2 * (s.a(x) + s.t))),
        lambda s, x: s.o(relu(-2 * s.a(x) - 2 * s.t)),
    ),
    "a buffer and a frozen parameter": (
        lambda s, x: s.o(relu(s.a(x) + s.t)),
        lambda s, x: s.o(relu(s.p + s.a(x))),
    ),
    "two tables": (
        lambda s, x: s.o(relu(s.a(x) + s.t + s.t)),
        lambda s, x: s.o(relu(s.a(x) + 2 * s.t)),
    ),
    "positions turned": (
        lambda s, x: s.o(relu((s.a(x) + s.t).flip(1).transpose(1, 2).transpose(1, 2))),
        lambda s, x: s.o(relu(s.a(x.flip(1)) + s.t.flip(0))),
    ),
    "positions averaged": (
        lambda s, x: s.o(relu((s.a(x) + s.t).mean(1))),
        lambda s, x: s.o(relu(s.a(x).mean(1) + s.t.mean(0))),
    ),
    "a number, averaged": (
        lambda s, x: s.o(relu((s.a(x) + 1.5)[:, 1:].mean(1))),
        lambda s, x: s.o(relu(s.a(x)[:, 1:].mean(1) + 1.5)),
    ),
    "weighed": (
        lambda s, x: s.o(relu((s.a(x) + s.t) * x[..., :1])),
        lambda s, x: s.o(relu(s.a(x) * x[..., :1] + s.t * x[..., :1])),
    ),
    "filled": (
        lambda s, x: s.o(relu(s.a(x).masked_fill(x[..., :1] > 0, 1.5))),
        lambda s, x: s.o(relu(s.a(x) * (x[..., :1] <= 0) + 1.5 * (x[..., :1] > 0))),
    ),
    "chosen": (
        lambda s, x: s.o(relu(torch.where(x[..., :1] > 0, s.a(x), -0.5))),
        lambda s, x: s.o(relu(s.a(x) * (x[..., :1] > 0) - 0.5 * (x[..., :1] <= 0))),
    ),
    "detached": (
        lambda s, x: s.o(relu((s.a(x) + s.t).detach() + s.c(x))),
        lambda s, x: s.o(relu(s.a(x).detach() + s.c(x) + s.t)),
    ),
    "an activation in two calls": (
        lambda s, x: (lambda h: s.o(h * torch.sigmoid(h)))(s.a(x) + s.t),
        lambda s, x: s.o(functional.silu(s.a(x) + s.t)),
    ),
    "a number after a sum": (
        lambda s, x: s.o(torch.sin(s.a(x)) + s.c(x) + 0.5),
        lambda s, x: s.o(torch.sin(s.a(x)) + (s.c(x) + 0.5)),
    ),
}


def over_positions(forward: Callable[[Any, Tensor], Tensor]) -> Callable[[Any, Tensor], Tensor]:
    """One output a point."""

    def whole(s: Any, x: Tensor) -> Tensor:
        found = forward(s, x)
        return found.mean(1) if found.dim() == 3 else found

    return whole


@pytest.mark.filterwarnings("ignore:.*comes after the last layer:UserWarning")
@pytest.mark.parametrize("name", SAME)
def test_two_ways_to_write_it(name: str) -> None:
    one, other = (net_of(over_positions(forward)) for forward in SAME[name])
    x = randn(2, T, D)
    for make in (ntk, nngp):
        found, expected = make(one)(x), make(other)(x)
        assert_near(found, expected, loosen=1e3)
        assert_near(make(one)(x[:1], x), found[:1], loosen=1e4)
        assert_near(make(one).diag(x), found.diagonal(), loosen=1e4)


def forward_table(s: Any, x: Tensor) -> Tensor:
    return s.o(relu(s.a(x) + s.p)).mean(1)


def test_training_a_table_adds_its_slopes() -> None:
    """`E[s'(u) s'(v)]` where a position meets itself, over the square of their number."""
    x = randn(3, T, D)
    frozen, trained = (ntk(net_of(forward_table, trained=t))(x) for t in (False, True))
    slopes = []
    for k in range(T):
        net = net_of(lambda s, x, k=k: s.o(relu(s.a(x) + s.t[k])))
        own = x[:, k] @ x[:, k].T / D + 0.3**2
        slopes.append((ntk(net)(x[:, k]) - nngp(net)(x[:, k])) / own)
    assert_near(trained - frozen, torch.stack(slopes).sum(0) / T**2, loosen=1e3)


def drawn(net: nn.Module, x: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    """Tangent kernels and outputs of the network with its layers' weights drawn again."""
    fixed = {name: p.detach() for name, p in (*net.named_parameters(), *net.named_buffers())}
    wanted = [name for name, p in net.named_parameters() if p.requires_grad]
    fresh = [
        f"{n}.{k}"
        for n, m in net.named_modules()
        if isinstance(m, Linear)
        for k, _ in m.named_parameters()
    ]
    g = seeded(1)
    weights = {
        k: torch.randn(draws, *fixed[k].shape, generator=g, dtype=torch.float64) for k in fresh
    }

    def outputs(own: dict[str, Tensor], rest: dict[str, Tensor]) -> Tensor:
        return functional_call(net, {**fixed, **own, **rest}, (x,)).flatten()

    rest = {k: fixed[k] for k in wanted if k not in fresh}
    by_own, by_rest = vmap(jacrev(outputs, argnums=(0, 1)), in_dims=(0, None))(weights, rest)
    rows = torch.cat([t.flatten(2) for t in (*by_own.values(), *by_rest.values())], 2)
    return rows @ rows.mT, vmap(outputs, in_dims=(0, None))(weights, rest)


SHALLOW = {
    "trained table": (forward_table, (T, D)),
    "features": (lambda s, x: s.o(relu(s.a(x) + x[..., :1] + functional.pad(x, (0, W - D)))), (D,)),
    "filled": (
        lambda s, x: s.o(relu(s.a(x).masked_fill(x[..., :1] > 0, 1.5))).mean(1),
        (T, D),
    ),
    "table, then layer": (lambda s, x: s.o(functional.gelu(s.a(x) + s.t)).mean(1), (T, D)),
    "with branches": (lambda s, x: s.o(relu(s.a(x) + s.t) + relu(s.c(x))).mean(1), (T, D)),
}


@pytest.mark.parametrize("name", SHALLOW)
def test_tangent_kernels_are_means_over_networks(name: str) -> None:
    """With one hidden layer at any width, for its units are drawn alike: only chance is left."""
    forward, shape = SHALLOW[name]
    net, x = net_of(forward, trained=True), randn(2, *shape)
    kernels, _ = drawn(net, x, 1500)
    error = kernels.std(0) / 1500**0.5
    assert float(((kernels.mean(0) - ntk(net)(x)).abs() / error).max()) < 4.5


def test_ends_around_the_points() -> None:
    """The covariance of `sigmoid(f(x) + x_0)`, over drawn outputs of variances that are known."""
    net = net_of(lambda s, x: torch.sigmoid(s.o(relu(s.a(x))) + x[:, :1]))
    x = randn(3, D)
    inner = nngp(net_of(lambda s, x: s.o(relu(s.a(x)))))(x)
    z = randn(200_000, 3) @ torch.linalg.cholesky(inner).mT + x[:, 0]
    with pytest.warns(UserWarning, match="comes after the last layer") as _:
        ntk(net)(x)
    parts = torch.stack([torch.cov(torch.sigmoid(some).mT) for some in z.split(2000)])
    error = parts.std(0) / len(parts) ** 0.5
    assert float(((parts.mean(0) - nngp(net)(x)).abs() / error).max()) < 4.5


def test_ends_are_exact_where_there_is_a_formula() -> None:
    """`Cov(sin(f), sin(f'))` of outputs around their points."""
    net = net_of(lambda s, x: s.wave(s.o(relu(s.a(x))) + x[:, :1]))
    x = randn(3, D)
    cov, m = nngp(net_of(lambda s, x: s.o(relu(s.a(x)))))(x), x[:, 0]
    var = cov.diagonal()
    both = var[:, None] + var
    waves = torch.cos(2 * (m[:, None] - m)) * torch.exp(-2 * (both - 2 * cov))
    turned = torch.cos(2 * (m[:, None] + m)) * torch.exp(-2 * (both + 2 * cov))
    mean = torch.sin(2 * m) * torch.exp(-2 * var)
    assert_near(nngp(net)(x), (waves - turned) / 2 - mean.outer(mean), loosen=100)


def test_layer_norm_takes_off_the_mean_over_channels() -> None:
    """`Cov(u, v) + mean_c (m_c - m)(m'_c - m')` over the lengths, of a buffer and of features."""
    x = randn(3, T, D)
    net = net_of(lambda s, x: s.o(s.n(s.a(x) + s.t)).mean(1))
    flat = x.reshape(-1, D)
    rows = (TABLE.double() - TABLE.double().mean(1, keepdim=True)).repeat(3, 1)
    cov = flat @ flat.T / D + 0.3**2 + rows @ rows.T / W
    cov = cov / cov.diagonal().sqrt().outer(cov.diagonal().sqrt())
    assert_near(nngp(net)(x), cov.reshape(3, T, 3, T).mean((1, 3)), loosen=100)


def test_the_program_is_a_value() -> None:
    net, x = net_of(lambda s, x: s.o(relu((s.a(x) + s.t + 1.0)[:, ::2].mean(1)))), randn(2, T, D)
    kernel = ntk(net)
    program = kernel.plan(x).program
    assert pickle.loads(pickle.dumps(program)) == program
    assert hash(program) == hash(kernel.plan(x).program)
    assert "BendAround" in str(program)
    before = kernel(x)
    with torch.no_grad():
        net.t += 1.0  # tables are read at each call
    after = ntk(net)(x)
    assert torch.equal(kernel(x), after)
    assert not torch.allclose(before, after)


REFUSED = {
    "a bend without a formula": (
        lambda s, x: s.o(functional.elu(s.a(x) + s.t)),
        "acts on units around known means.*Use a piecewise linear",
    ),
    "a product of tables": (
        lambda s, x: s.o((s.a(x) + s.t) * (s.c(x) + s.t)),
        "not the product of their means",
    ),
    "a sum of bent tables": (
        lambda s, x: s.o(relu(s.a(x) + s.t) + s.t),
        "several terms of the sum have means that differ from channel to channel",
    ),
    "groups of a table": (
        lambda s, x: s.o(s.g((s.a(x) + s.t).mT).mT),
        "takes each group from some of the channels",
    ),
    "one unit and many features": (
        lambda s, x: s.c(relu(s.o(relu(s.a(x))) + x)),
        "one unit that many channels share",
    ),
    "outputs with means of their own": (
        lambda s, x: torch.sigmoid(s.b(relu(s.a(x))) + s.t),
        "known means that differ from output to output.*Take one output before",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    forward, why = REFUSED[name]
    with pytest.raises(UnsupportedLayerError, match=f"(?s)At .*{why}"):
        ntk(net_of(forward))(randn(2, T, D))
