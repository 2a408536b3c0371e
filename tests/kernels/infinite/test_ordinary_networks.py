"""The networks that people write: against finite ones of the same module, and against rewritings."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn

from ntkit import Grid, encodings, gram, nngp, ntk
from ntkit.networks import Linear, mlp
from tests.cases import randn
from tests.ordinary_networks import ORDINARY, W, hidden, relu, written
from tests.tolerances import assert_near, relative_error

WIDTH = 192
SEEDS = range(6)

# Relative, in the Frobenius norm, of a mean over six networks of width 192: single ones are off by
# about `2 * 192^-1/2`. What went wrong in any of them (a mean left out, a frozen layer counted, two
# branches taken as independent that are not) is off by 0.2 to 0.7.
NTK_BOUND = 0.15
NNGP_BOUND = 0.15


def tangent(net: nn.Module, x: Tensor) -> Tensor:
    """`J J^T` of the one output, over the parameters that ask for gradients; one point at a time."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    rows = []
    for point in x:
        found = torch.autograd.grad(net(point[None].clone()).sum(), parameters, allow_unused=True)
        rows.append(
            torch.cat([
                (torch.zeros_like(p) if g is None else g).flatten()
                for g, p in zip(found, parameters, strict=True)
            ])
        )
    jacobian = torch.stack(rows)
    return jacobian @ jacobian.T


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.slow
@pytest.mark.parametrize("name", ORDINARY)
@pytest.mark.filterwarnings("ignore:The infinite-width limit of softmax attention")
def test_kernels_of_finite_networks_are_near_the_limit(name: str) -> None:
    row = ORDINARY[name]
    x = randn(3, *row.shape, seed=1)
    found = sum(tangent(row.network(WIDTH, seed=seed), x) for seed in SEEDS) / len(SEEDS)
    assert distance(found, ntk(row.network(WIDTH))(x)) < NTK_BOUND
    outputs, total = 96, torch.zeros(3, 3).double()
    for seed in SEEDS:
        net = row.network(WIDTH, outputs, seed=100 + seed)
        with torch.no_grad():
            y = torch.cat([net(point[None].clone()) for point in x])
        total += y @ y.T / outputs / len(SEEDS)
    assert distance(total, nngp(net)(x)) < NNGP_BOUND


def same_kernels(one: nn.Module, other: nn.Module, *shape: int, loosen: float = 100) -> None:
    x1, x2 = randn(2, *shape), randn(2, *shape, seed=1)
    for make in (ntk, nngp):
        assert_near(make(one)(x1, x2), make(other)(x1, x2), loosen=loosen)
        assert_near(make(one).diag(x1), make(other).diag(x1), loosen=loosen)


def net_of(*sizes: int, forward) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return written(hidden(*sizes)(16, 1), forward).double()


def test_sums_of_one_tensor_are_multiples_of_it() -> None:
    double = net_of(3, forward=lambda s, x: s.o(relu(2 * s.a(x))))
    for add in (lambda h: h + h, lambda h: h - (-h), lambda h: 3 * h - h, lambda h: h.add(h)):
        same_kernels(net_of(3, forward=lambda s, x, add=add: s.o(relu(add(s.a(x))))), double, 3)


@pytest.mark.parametrize(
    ("by_hand", "module"),
    [
        (lambda h: h * torch.sigmoid(h), nn.SiLU()),
        (lambda h: relu(h) + 0.01 * (h - relu(h)), nn.LeakyReLU(0.01)),
        (lambda h: relu(relu(h)), nn.ReLU()),
    ],
)
def test_an_activation_written_by_hand_is_its_module(by_hand, module: nn.Module) -> None:
    one = net_of(3, forward=lambda s, x: s.o(by_hand(s.a(x))))
    other = net_of(3, forward=lambda s, x: s.o(s.act(s.a(x))))
    other.act = module
    same_kernels(one, other, 3, loosen=1e4)


def test_in_place_arithmetic_changes_what_others_hold() -> None:
    def alias(s, x):
        h = s.a(x)
        kept = h
        h += s.b(relu(h))
        return s.o(s.c(relu(h)) + kept)

    def plain(s, x):
        h = s.a(x)
        h = h + s.b(relu(h))
        return s.o(s.c(relu(h)) + h)

    same_kernels(net_of(3, W, W, forward=alias), net_of(3, W, W, forward=plain), 3)


def test_points_are_not_overwritten() -> None:
    net, x = (
        nn.Sequential(nn.ReLU(inplace=True), Linear(3, 8), nn.ReLU(), Linear(8, 1)),
        randn(4, 3),
    )
    before = x.clone()
    found = ntk(net)(x)
    assert torch.equal(x, before)
    assert_near(found, ntk(net[1:])(x.relu()))


def test_frozen_layers_add_nothing_to_the_tangent_kernel() -> None:
    """A frozen body is a random feature map; its NTK is that of the read-out on the NNGP."""
    x = randn(4, 3)
    for make in (nn.Linear, Linear):
        net = nn.Sequential(make(3, 16), nn.ReLU(), make(16, 16), nn.ReLU(), make(16, 1)).double()
        whole = ntk(net)(x)
        net[:4].requires_grad_(False)
        frozen = ntk(net)(x)
        net.requires_grad_(False)
        net[:4].requires_grad_(True)
        assert_near(frozen + ntk(net)(x), whole, loosen=10)
        net.requires_grad_(False)
        assert float(ntk(net)(x).abs().max()) == 0.0


def test_a_frozen_bias_alone() -> None:
    x, net = randn(4, 3), nn.Linear(3, 1).double()
    net.bias.requires_grad_(False)
    assert_near(ntk(net)(x), x @ x.T)
    net.bias.requires_grad_(True)
    net.weight.requires_grad_(False)
    assert_near(ntk(net)(x), torch.ones(4, 4).double())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wrapped_modules_are_their_insides() -> None:
    net, x = mlp(encodings.Basic(2), 1, width=16), randn(4, 2)
    for wrapped in (torch.compile(net), nn.DataParallel(net)):
        assert torch.equal(ntk(wrapped)(x), ntk(net)(x))  # type: ignore[arg-type]


def test_half_precision_weights_are_read_as_they_are() -> None:
    net, x = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)), randn(4, 2)
    for dtype in (torch.float16, torch.bfloat16):
        half = copy.deepcopy(net).to(dtype)
        assert_near(ntk(half)(x), ntk(copy.deepcopy(half).double())(x), loosen=10)


def test_an_encoder_is_its_layers_written_out() -> None:
    """Pre- and post-norm, a stack of two."""
    x, embed = randn(3, 4, 5), nn.Linear(5, 16).double()
    for first in (True, False):
        layer = nn.TransformerEncoderLayer(16, 2, 24, 0.0, batch_first=True, norm_first=first)
        encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).double().eval()
        for part in encoder.layers:
            for p in part.modules():
                if isinstance(p, nn.Linear):
                    p.reset_parameters()

        def block(part, h, first=first):
            attend = lambda y: part.self_attn(y, y, y, need_weights=False)[0]  # noqa: E731
            forward = lambda y: part.linear2(relu(part.linear1(y)))  # noqa: E731
            if first:
                h = h + attend(part.norm1(h))
                return h + forward(part.norm2(h))
            h = part.norm1(h + attend(h))
            return part.norm2(h + forward(h))

        by_hand = written(
            {"layers": encoder.layers},
            lambda s, x, block=block: block(s.layers[1], block(s.layers[0], x)),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_near(
                ntk(nn.Sequential(embed, encoder))(x), ntk(nn.Sequential(embed, by_hand))(x)
            )


def test_an_encoding_inside_a_class_serves_grids() -> None:
    """The table of lags is the kernel between the grid's points, also with a skip of the encoding."""
    for skip in (False, True):
        net = written(
            {
                "encoding": encodings.Gaussian(2, 8, 2.0, torch.Generator().manual_seed(0)),
                "a": nn.Linear(16, 8),
                "b": nn.Linear(8 + 16 * skip, 1),
            },
            lambda s, x, skip=skip: s.b(
                (lambda e: torch.cat([relu(s.a(e)), e], 1) if skip else relu(s.a(e)))(s.encoding(x))
            ),
        ).double()
        kernel, grid = ntk(net), Grid((5, 4))
        assert kernel.is_stationary
        points = grid.points().double()
        assert relative_error(gram(kernel, grid) @ torch.eye(20).double(), kernel(points)) < 1e-6


def test_normalised_encodings_are_no_longer_stationary() -> None:
    layers = nn.LayerNorm(16), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1)
    encoding = encodings.Gaussian(2, 8, 2.0)
    assert not ntk(nn.Sequential(encoding, *layers)).is_stationary
    assert ntk(nn.Sequential(encoding, nn.Identity(), *layers[1:])).is_stationary


@pytest.mark.filterwarnings("ignore:`dropout.*as in training mode")
def test_dropped_channels_are_dropped_at_all_positions() -> None:
    """Of a pooled image, so that a point's own variance doubles at a rate of one half."""
    conv, last = nn.Conv2d(3, 8, 3), nn.Linear(8, 1, bias=False)
    pool, x = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), randn(3, 3, 4, 4)
    dropped = nn.Sequential(conv, nn.ReLU(), nn.Dropout2d(0.5), pool, last).double()
    plain = nn.Sequential(conv, nn.ReLU(), pool, last).double()
    assert_near(nngp(dropped).diag(x), 2 * nngp(plain).diag(x), loosen=10)
    assert_near(nngp(dropped)(x, x + 1), nngp(plain)(x, x + 1), loosen=10)


def test_bare_scales_before_a_nonlinearity_are_scales_of_a_normalisation() -> None:
    """`g * LN(h)` by a bare parameter and by the layer's own weight: one network."""
    first, last, x = Linear(3, 16), Linear(16, 1), randn(4, 3)
    for values in (torch.ones(16), torch.full((16,), 0.7), torch.zeros(16)):
        norm = nn.LayerNorm(16, bias=False)
        with torch.no_grad():
            norm.weight.copy_(values)
        own = nn.Sequential(first, norm, nn.Tanh(), last).double()
        plain = nn.LayerNorm(16, elementwise_affine=False)
        by_hand = written(
            {"a": first, "n": plain, "g": nn.Parameter(values.clone()), "o": last},
            lambda s, x: s.o(torch.tanh(s.g * s.n(s.a(x)))),
        ).double()
        assert_near(ntk(by_hand)(x), ntk(own)(x), loosen=10)


@pytest.mark.slow
def test_bare_scales_of_wide_networks() -> None:
    """In the NTK parametrisation, where their part is of the kernel's own size."""
    x, found = randn(3, 3, seed=1), torch.zeros(3, 3).double()
    for seed in SEEDS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = written(
                {
                    "a": Linear(3, 2048),
                    "g": nn.Parameter(torch.ones(2048)),
                    "o": Linear(2048, 1, bias=False),
                },
                lambda s, x: s.o(torch.sin(s.g * s.a(x))),
            ).double()
        found += tangent(net, x) / len(SEEDS)
    assert distance(found, ntk(net)(x)) < 0.03
    kept = ntk(net)(x)
    net.g.requires_grad_(False)  # type: ignore[union-attr]
    assert distance(kept, ntk(net)(x)) > 0.1


def test_a_residual_block_that_starts_at_zero() -> None:
    """The last scale of a branch at zero, as ResNets start: the branch adds its scale's part alone."""
    first, last, x = Linear(3, 16), Linear(16, 1, bias=False), randn(4, 3)
    norm = nn.BatchNorm1d(16).eval()
    nn.init.zeros_(norm.weight)
    body = written(
        {"a": first, "b": Linear(16, 16), "n": norm, "o": last},
        lambda s, x: (lambda h: s.o(h + s.n(s.b(relu(h)))))(s.a(x)),
    ).double()
    plain = nn.Sequential(first, last).double()
    assert_near(nngp(body)(x), nngp(plain)(x), loosen=10)
    branch = nn.Sequential(first, nn.ReLU(), body.b).double()  # type: ignore[arg-type]
    part = nngp(branch)(x) / (1 + norm.eps) + 1
    assert_near(ntk(body)(x), ntk(plain)(x) + part, loosen=10)
