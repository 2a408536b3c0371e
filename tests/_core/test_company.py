"""Samples that mix are seen, and rounding is not taken for it."""

import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit._core.company import mixing, refuse_mixing
from ntkit._core.company_rows import few_of, telling_rows
from ntkit._core.rounding import Rounding
from tests.cases import randn
from tests.mixing import COUPLED, OWN, Before, points_of


def found(net: nn.Module, *points: Tensor) -> str | None:
    return mixing(lambda tensors: net(*tensors), points)


@pytest.mark.parametrize("kind", COUPLED)
@pytest.mark.parametrize("n", [2, 3, 20])
def test_every_coupling_is_seen(kind: str, n: int) -> None:
    net = COUPLED[kind]()
    x = points_of(net, n)
    for dtype in (torch.float64, torch.float32):
        x = x.to(dtype) if x.is_floating_point() else x
        assert "mixes the samples" in (found(net.to(dtype), x) or ""), dtype


@pytest.mark.parametrize("kind", OWN)
def test_what_keeps_samples_apart_is_not_taken_for_it(kind: str) -> None:
    net = OWN[kind]()
    for n in (1, 2, 20):
        assert found(net.double(), points_of(net, n)) is None
        x = points_of(net, n)
        assert found(net.float(), x.float() if x.is_floating_point() else x) is None


def test_one_sample_is_probed_beside_its_half() -> None:
    net = COUPLED["centred"]().double()
    assert "mixes the samples" in (found(net, randn(1, 4)) or "")


class Deep(nn.Module):
    """So deep and steep that one sample and many differ by more than their size, by rounding alone."""

    def __init__(self, depth: int, gain: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList(nn.Linear(32, 32) for _ in range(depth))
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.tanh(self.gain * layer(x))
        return x[:, :1]


@pytest.mark.parametrize(("depth", "gain"), [(40, 10.0), (12, 10.0), (60, 2.0), (30, 0.3)])
def test_rounding_that_grows_is_no_mixing(depth: int, gain: float) -> None:
    net, x = Deep(depth, gain), randn(40, 32).float()
    assert found(net, x) is None
    assert found(net.bfloat16(), x.bfloat16()) is None


def test_rounding_that_grows_hides_no_mixing() -> None:
    net = Deep(12, 10.0)
    assert "mixes" in (mixing(lambda x: net(x[0] - x[0].mean(0)), [randn(40, 32).float()]) or "")


def test_what_chance_has_a_part_in_is_told_apart() -> None:
    x = [randn(4, 4)]
    assert "draws random numbers" in (mixing(lambda t: functional.dropout(t[0]), x) or "")
    own = torch.Generator().manual_seed(0)
    noisy = mixing(lambda t: t[0] + torch.rand(len(t[0]), 1, generator=own), x)
    assert "gives other values each time" in (noisy or "")


def test_draws_of_others_are_not_the_networks() -> None:
    """Another thread moves torch's random state, here under every second run."""
    runs = iter(range(1000))

    def beside_one_who_draws(tensors: tuple[Tensor, ...]) -> Tensor:
        if next(runs) % 2 == 0:
            torch.rand(1)
        return tensors[0]

    assert mixing(beside_one_who_draws, [randn(4, 4)]) is None


def test_the_random_state_and_warnings_are_left_alone() -> None:
    before = torch.get_rng_state()

    def loud(tensors: tuple[Tensor, ...]) -> Tensor:
        warnings.warn("aloud", stacklevel=1)
        return tensors[0] + torch.rand(1)

    assert mixing(loud, [randn(4, 4)])
    assert torch.equal(before, torch.get_rng_state())


def test_what_takes_no_sample_alone_mixes() -> None:
    net, x = nn.BatchNorm1d(4).double().train(), [randn(5, 4)]
    assert "not on one alone (Expected more than 1" in (mixing(lambda t: net(*t), x) or "")


def test_an_error_of_the_network_is_its_own() -> None:
    with pytest.raises(ValueError, match="no such thing"):
        mixing(lambda _: fail(), [randn(3, 4)])


def fail() -> Tensor:
    raise ValueError("no such thing")


def test_outputs_that_change_in_number() -> None:
    net = mixing(lambda t: t[0].flatten()[t[0].flatten() > 0], [randn(5, 4)])
    assert "more numbers for a sample in company, or fewer" in (net or "")
    assert mixing(lambda t: t[0][:, :0], [randn(5, 4)]) is None


def test_samples_without_values_are_left_to_others() -> None:
    x = torch.tensor([[0.0], [-1.0], [2.0]])
    assert mixing(lambda t: t[0].log(), [x]) is None
    assert "mixes" in (mixing(lambda t: t[0] / t[0].log().sum(), [x]) or "")


def test_a_zero_that_is_rounding_is_no_mixing() -> None:
    x = torch.tensor([[1.0], [2.0], [0.0]])
    assert mixing(lambda t: t[0] + 1e-13 * (len(t[0]) > 1), [x]) is None
    assert "mixes" in (mixing(lambda t: t[0] + 1e-3 * (len(t[0]) > 1), [x]) or "")


def test_the_refusal_says_what_to_do() -> None:
    net = Before(lambda x: x - x.mean(0))
    with pytest.raises(ValueError, match=r"`net` mixes.*change by.* Too bad\. .*batch_first=True"):
        refuse_mixing("`net`", lambda t: net(*t), [randn(3, 4).float()], "Too bad.")


def test_rows_that_tell_are_among_the_chosen() -> None:
    x = randn(500, 4)
    x[77, 0] = 40
    x[400, 1:] = 0
    ids = (torch.arange(500) == 300).long()
    rows = telling_rows([x, ids])
    assert {0, 499, 77, 400, 300} <= set(rows)
    assert len(few_of([x, ids])[0]) <= 40
    assert telling_rows([randn(1, 0)]) == [0]


def test_rounding_is_of_the_last_place() -> None:
    layer, x = nn.Linear(30, 30), randn(10, 30).float()
    with Rounding(0):
        here = layer(x)
    assert 0 < float((here - layer(x)).detach().abs().max()) < 1e-5
