"""Frequencies that are trained: the features they start from, their derivative, what they become."""

from collections.abc import Callable
from math import pi

import pytest
import torch
from torch import nn

import ntkit
from ntkit._core.errors import UnsupportedLayerError
from ntkit.encodings import (
    Basic,
    CoarseToFine,
    Composite,
    Gaussian,
    HashGrid,
    Identity,
    LearnedFourier,
)
from ntkit.encodings import NeRF as Octaves
from ntkit.networks import Linear
from tests.cases import randn, seeded
from tests.tolerances import assert_near


@pytest.mark.parametrize("include_input", [False, True])
def test_it_begins_as_the_encoding_that_it_is_given(include_input: bool) -> None:
    start, x = Octaves(2, 3, include_input), randn(5, 2)
    learned = LearnedFourier(start)
    assert torch.equal(learned(x), start(x))
    assert learned.is_stationary == start.is_stationary
    assert not list(start.parameters()), "the original is left as it was"


def test_derivative_by_the_frequencies() -> None:
    """`d cos(2 pi b x) / db = -2 pi x sin(2 pi b x)`."""
    learned, x = LearnedFourier(Basic(1)).double(), randn(6, 1)
    out = learned(x)[:, 0].sum()
    (found,) = torch.autograd.grad(out, learned.encoding.frequencies)
    assert_near(found, -(2 * pi * x * (2 * pi * x).sin()).sum()[None, None], loosen=10)


def test_a_frequency_is_found_by_training() -> None:
    """From 1.0 to the 1.1 cycles per unit of the data."""
    learned, x = LearnedFourier(Basic(1)), torch.linspace(0, 1, 64)[:, None]
    target = (2 * pi * 1.1 * x).cos()
    optimiser = torch.optim.Adam(learned.parameters(), lr=5e-3)
    for _ in range(150):
        optimiser.zero_grad()
        (learned(x)[:, :1] - target).square().mean().backward()
        optimiser.step()
    assert abs(float(learned.encoding.frequencies.detach()) - 1.1) < 1e-3
    fixed = learned.fixed()
    assert type(fixed) is Basic
    assert not list(fixed.parameters())
    assert torch.equal(fixed(x), learned(x))
    before = float(fixed.frequencies)
    with torch.no_grad():
        learned.encoding.frequencies.add_(1.0)
    assert float(fixed.frequencies) == before


def test_a_window_over_learned_frequencies() -> None:
    window = CoarseToFine(Octaves(1, 3))
    learned, x = LearnedFourier(window), randn(4, 1)
    learned.encoding.set_alpha(1.0)
    window.set_alpha(1.0)
    assert torch.equal(learned(x), window(x))


def test_others_have_no_frequencies(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`encoding` must be a Fourier encoding, got Identity"):
        LearnedFourier(Identity(2))


def network(encoding: nn.Module) -> nn.Sequential:
    layers = [
        Linear(encoding.out_dim, 8, generator=seeded()),
        nn.ReLU(),
        Linear(8, 1, generator=seeded(1)),
    ]
    return nn.Sequential(encoding, *layers)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LearnedFourier(Gaussian(2, 4, 1.0, seeded())),
        lambda: HashGrid(2, 2, log2_hashmap_size=4),
        lambda: Composite(Identity(1), HashGrid(1, 2, log2_hashmap_size=4)),
    ],
    ids=["LearnedFourier", "HashGrid", "Composite"],
)
def test_no_limit_is_claimed_for_what_is_trained(make: Callable[[], nn.Module]) -> None:
    """The kernel of the present counts those parameters; without them it is the rest of it."""
    encoding = make()
    net, x = network(encoding).double(), torch.rand(4, 2, generator=seeded(), dtype=torch.float64)
    name = type(encoding).__name__
    with pytest.raises(
        UnsupportedLayerError, match=rf"`{name}` is trained .* `ntkit.empirical_ntk`"
    ):
        ntkit.ntk(net)
    whole = ntkit.empirical_ntk(net)(x)
    encoding.requires_grad_(False)
    rest = ntkit.empirical_ntk(net)(x)
    assert float(torch.linalg.eigvalsh(whole - rest)[0]) > -1e-10
    assert float((whole - rest).abs().max()) > 1e-6


def test_the_kernel_of_the_frequencies_as_they_have_become() -> None:
    learned, x = LearnedFourier(Gaussian(2, 4, 1.0, seeded())), randn(4, 2)
    with torch.no_grad():
        learned.encoding.frequencies.add_(0.5)
    net = network(learned.fixed())
    assert_near(ntkit.ntk(net)(x), ntkit.ntk(net[1:])(learned(x).detach()), loosen=1000)
