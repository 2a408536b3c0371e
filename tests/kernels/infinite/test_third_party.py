"""What a third party says of its own layers: equal to the same layers of ours, and the limit of wide networks."""

import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from math import log, sqrt

import pytest
import torch
from torch import Generator, Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels import Norm, rules
from ntkit.kernels.infinite.meanings import meanings
from ntkit.networks import Linear, SelfAttention
from tests.cases import randn, seeded
from tests.kernels.infinite import third_party as third
from tests.layer_networks import Example
from tests.rates import deviations_from_limit, sizes
from tests.tolerances import assert_near

NETWORKS = {
    "normalisation": Example(third.normed, (2, 5)),
    "map of positions": Example(third.pooled, (2, 5)),
    "attention": Example(third.focused, (3, 2)),
}

SCATTER = 0.76
"""Standard deviation of one distance over seeds, as a share of the mean distance: see `test_width`."""


def kernels(net: nn.Module, x: Tensor | tuple[Tensor, ...]) -> Tensor:
    return torch.stack([ntk(net)(x), nngp(net)(x)])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_finite_networks_tend_to_the_kernel(name: str) -> None:
    """Sixteen times the width, a quarter of the distance; and their mean is near the kernel."""
    widths, count = (32, 512), 8
    found = {w: deviations_from_limit(NETWORKS[name], w, range(count), "ntk") for w in widths}
    narrow, wide = (sum(map(float, sizes(d))) / count for d in found.values())
    assert abs(log(narrow / wide) - log(4)) < 3 * SCATTER * sqrt(2 / count)
    assert wide < 0.4
    mean, spread = found[512].mean(0).norm(), found[512].std(0).norm()
    # Student's t with 7 degrees of freedom exceeds 4.8 in 0.2 % of draws; the bias is of order 1/w
    assert float(mean) < 4.8 * float(spread) / sqrt(count) + 4 / 512


@pytest.mark.filterwarnings("ignore:A normalisation layer with a trained scale")
def test_a_group_norm_of_ones_own_is_that_of_torch() -> None:
    x = randn(3, 2, 5)
    mine = third.normed(16, seeded())
    mine[1] = third.GroupRMS(2, 16, takes_mean=True)
    ours = nn.Sequential(*mine)
    ours[1] = nn.GroupNorm(2, 16, eps=1e-3)
    with torch.no_grad():
        for layer in (mine[1], ours[1]):
            scale, shift = layer.parameters()
            scale.uniform_(0.5, 1.5, generator=seeded(1))
            shift.normal_(0, 0.3, generator=seeded(2))
    assert torch.equal(kernels(mine, x), kernels(ours, x))


class Beside(nn.Module):
    """Two layers of unlike sizes side by side, a normalisation, ReLU, dense."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        g = seeded()
        self.one, self.two = (
            Linear(2, 8, w_std=3, generator=g),
            Linear(2, 8, w_std=0.2, generator=g),
        )
        self.norm, self.last = norm, Linear(16, 1, bias=False, generator=g)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.relu(self.norm(torch.cat([self.one(x), self.two(x)], -1))))


def test_all_parts_of_a_concatenation_are_divided_by_what_they_have_in_common() -> None:
    x, mine = randn(4, 2), third.GroupRMS(None, 16)
    mine.offset.requires_grad_(False)
    ours = nn.RMSNorm(16, eps=1e-3)
    assert torch.equal(kernels(Beside(mine), x), kernels(Beside(ours), x))


class Alone(nn.Module):
    """Units over their root mean square, filed as if each were treated by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return x / x.square().mean(-1, keepdim=True).sqrt()


def test_a_scaling_that_reads_variances_is_no_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))
    rules.register(Alone, effect="scaling")(lambda _, s, v: s.normalised(s.var1, s.var2))
    with pytest.raises(UnsupportedLayerError, match="those of one part are not those of all"):
        nngp(Beside(Alone()))(randn(2, 2))


def test_a_map_of_positions_is_read_off_the_layer() -> None:
    """Running means and windows are matrices; here these, written into a forward."""
    x, n = randn(3, 2, 5), 6
    one = torch.eye(n, dtype=torch.float64)
    running = torch.ones_like(one).tril() / torch.arange(1, n + 1)[:, None]
    window = 0.25 * one.roll(1, 0) + one - 0.5 * one.roll(-1, 0)
    window[0, -1] = window[-1, 0] = 0

    class ByMatrix(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("matrix", (window @ running).mT)

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.matrix

    expected = third.convolved(8, seeded(), ByMatrix()).double()
    assert_near(kernels(third.pooled(8, seeded()).double(), x), kernels(expected, x))


class Summed(nn.Module):
    """Running sums by torch's function, and by the method of that name."""

    def __init__(self, by: str) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(x, 2) if self.by == "function" else x.cumsum(2)


def test_functions_and_methods_are_maps_of_positions_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))
    x = randn(3, 2, 5)
    nets = [third.convolved(8, seeded(), Summed(by)) for by in ("function", "method")]
    for net in nets:
        with pytest.raises(UnsupportedLayerError, match="no rule for `cumsum`"):
            nngp(net)(x)
    rules.pooling(torch.cumsum, "cumsum")
    one, other = (nngp(net)(x) for net in nets)
    assert torch.equal(one, other)
    places = torch.arange(1, 7).double()
    rules.pooling(Weighed)
    assert_near(one, nngp(third.convolved(8, seeded(), third.RunningMean(), Weighed(places)))(x))


class Stopped(nn.Module):
    """Neighbours' means whose gradients do not come back, or half of them."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        mean = (x + x.roll(1, 2)) / 2
        return self.share * mean + (1 - self.share) * mean.detach()


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_map_of_positions_that_stops_gradients_is_refused(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its values would be right, and its tangent kernel that of another network."""
    monkeypatch.setattr(meanings, "_entries", dict(meanings._entries))
    rules.pooling(Stopped)
    kernel, x = ntk(third.convolved(8, seeded(), Stopped(share))), randn(2, 2, 5)
    if share == 1:
        assert torch.isfinite(kernel(x)).all()
    else:
        with pytest.raises(UnsupportedLayerError, match="does not pass gradients on"):
            kernel(x)


class Weighed(nn.Module):
    """Each position times a number of its own."""

    def __init__(self, numbers: Tensor) -> None:
        super().__init__()
        self.register_buffer("numbers", numbers.float())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.numbers


def test_numbers_of_a_pooling_layer_are_those_of_the_call() -> None:
    def blurred(*window: float) -> nn.Module:
        return third.convolved(8, seeded(), third.Blur(torch.tensor(window)))

    x, net = randn(3, 2, 5), blurred(0.5, 0.5, 0.5)
    kernel = ntk(net)
    one = third.convolved(8, seeded(), nn.AvgPool1d(3, 1, 1)).double()
    assert_near(ntk(blurred(*[1 / 3] * 3))(x), ntk(one)(x), loosen=1e5)  # thirds in float32
    assert torch.equal(kernel(x), ntk(blurred(0.5, 0.5, 0.5))(x))
    net[2].fixed[1] = 2
    assert torch.equal(kernel(x), ntk(blurred(0.5, 2.0, 0.5))(x))
    assert net[2].fixed.dtype == torch.float32


def test_numbers_that_all_channels_share_are_not_trained() -> None:
    blur = third.Blur(torch.tensor([1.0, 1.0, 1.0]), is_trained=True)
    net, x = third.convolved(8, seeded(), blur), randn(3, 2, 5)
    with pytest.raises(UnsupportedLayerError, match="does not settle with the width"):
        ntk(net)(x)
    fixed = third.convolved(8, seeded(), third.Blur(torch.ones(3)))
    assert_near(nngp(net)(x), nngp(fixed)(x))
    blur.requires_grad_(False)
    assert_near(ntk(net)(x), ntk(fixed)(x))
    mean, _ = ntk(net).monte_carlo(x, 2, generator=seeded())
    assert torch.isfinite(mean).all()
    assert torch.equal(blur.kernel, torch.ones(3))


def test_attention_of_ones_own_is_that_of_ours() -> None:
    """Masked and not, and with a part frozen."""
    layer = SelfAttention(16, 16, 2, 4, 2, bias=False, query_std=1.5, generator=seeded())
    mine, ours = third.focused(16, seeded()), third.OfTokens(16, layer, seeded())
    x, mask = randn(3, 4, 2), (torch.tensor([4, 2, 3])[:, None] <= torch.arange(4)).float()
    assert_near(kernels(mine, x), kernels(ours, x))
    assert_near(kernels(mine, (x, mask)), kernels(ours, (x, mask)))
    for net in (mine, ours):
        net.attention.requires_grad_(False)
    assert_near(ntk(mine)(x), ntk(ours)(x))


def answer(held: bytes) -> Tensor:
    kernel, x = pickle.loads(held)
    return kernel(x)


@pytest.mark.slow
def test_another_process_has_the_same_kernels() -> None:
    """It knows the layers as soon as it has imported them, which unpickling does."""
    cases = {}
    for name, example in NETWORKS.items():
        kernel, x = ntk(example.network(8)), example.points(3, seeded())
        cases[name] = kernel(x), pickle.dumps((kernel, x))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        for name, found in zip(
            cases, pool.map(answer, (c for _, c in cases.values())), strict=True
        ):
            assert torch.equal(found, cases[name][0]), name


REFUSED: dict[str, tuple[Callable[[Generator], nn.Module], str]] = {
    "one gain": (
        lambda g: nn.Sequential(Linear(2, 8, generator=g), Gain(), Linear(8, 1, generator=g)),
        "`gain` of `Gain.*` is trained, and is one number of several channels",
    ),
    "of points": (
        lambda g: nn.Sequential(third.GroupRMS(1, 2), Linear(2, 1, generator=g)),
        "the points' own features with weights of its own",
    ),
    "groups of one channel": (
        lambda g: nn.Sequential(
            Linear(2, 8, generator=g), third.GroupRMS(8, 8), Linear(8, 1, generator=g)
        ),
        "has groups of one channel",
    ),
    "subclass": (
        lambda g: third.convolved(8, g, Mine(torch.ones(3))),
        "mixes positions and channels",
    ),
}


class Gain(Alone):
    """With a single gain."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))


rules.normalisation(Gain)(lambda layer: Norm((-1,), scale=layer.gain))


class Mine(third.Blur):
    """A subclass has no meaning until it is given one, and is followed inside."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_limit_is_refused_by_name(name: str) -> None:
    make, match = REFUSED[name]
    net = make(seeded())
    with pytest.raises(UnsupportedLayerError, match=match):
        ntk(net)(randn(3, 2, 5) if name == "subclass" else randn(3, 2))


def test_weights_of_another_shape_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        meanings, "_entries", {k: v for k, v in meanings._entries.items() if k is not third.Focus}
    )
    rules.attention(third.Focus, weights=lambda layer, products, hidden: products[0])(third.focus)
    with pytest.raises(
        ValueError, match=r"must be `\[points, queries, keys\]`, \(1, 4, 4\)|\(\d, 4, 4\)"
    ):
        ntk(third.focused(8, seeded()))(randn(3, 4, 2))
