"""The frequencies of each encoding, in cycles per unit."""

import pytest
import torch

from ntkit.encodings import Basic, Gaussian, Identity, NeRF, Positional
from tests.cases import randn, seeded


def test_identity_is_the_identity() -> None:
    x = randn(4, 3)
    assert torch.equal(Identity(3)(x), x)
    assert not Identity(3).is_stationary
    assert repr(Identity(3)) == "Identity(in_dim=3)"


def test_basic_is_one_turn_an_axis() -> None:
    assert torch.equal(Basic(3).frequencies, torch.eye(3))


def test_positional_is_log_spaced_below_its_maximum() -> None:
    frequencies = Positional(2, 4, 16.0).frequencies
    assert torch.equal(frequencies[:, 0][::2], torch.tensor([1.0, 2.0, 4.0, 8.0]))
    assert torch.equal(frequencies[::2, 0], frequencies[1::2, 1])
    assert torch.equal(frequencies[1::2, 0], torch.zeros(4))


def test_nerf_is_octaves_from_half_a_turn() -> None:
    """NeRF's `sin(2^j pi x)`."""
    x = randn(6, 1)
    angles = torch.cat([2**j * torch.pi * x for j in range(3)], 1)
    expected = torch.cat([angles.cos(), angles.sin()], 1)
    torch.testing.assert_close(NeRF(1, 3)(x), expected)
    with_input = NeRF(1, 3, include_input=True)
    torch.testing.assert_close(with_input(x), torch.cat([x, expected], 1))
    assert not with_input.is_stationary


def test_gaussian_scales_one_draw() -> None:
    """The same seed gives the same directions, times the bandwidth of each axis."""
    one = Gaussian(2, 50, 1.0, seeded()).frequencies
    assert torch.equal(Gaussian(2, 50, 8.0, seeded()).frequencies, 8 * one)
    per_axis = Gaussian(2, 50, [2.0, 4.0], seeded()).frequencies
    assert torch.equal(per_axis, one * torch.tensor([2.0, 4.0]))
    assert torch.equal(Gaussian(2, 50, 8.0, seeded(), integer=True).frequencies, (8 * one).round())


def test_gaussian_bandwidth_is_the_standard_deviation() -> None:
    """Within four standard errors, `sigma / sqrt(2 m)`."""
    m = 20_000
    deviation = float(Gaussian(1, m, 3.0, seeded()).frequencies.std())
    assert abs(deviation - 3.0) < 4 * 3.0 / (2 * m) ** 0.5


def test_gaussian_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    Gaussian(2, 8, 1.0, seeded())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("bandwidth", [-1.0, 0.0, float("inf"), float("nan")])
def test_impossible_bandwidths(bandwidth: float) -> None:
    with pytest.raises(ValueError, match=r"`bandwidth=.*` must be a finite number above 0"):
        Gaussian(2, 8, bandwidth)


def test_one_bandwidth_an_axis() -> None:
    with pytest.raises(ValueError, match=r"has 3 entries for `in_dim=2` axes"):
        Gaussian(2, 8, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("make", [Identity, Basic, lambda d: NeRF(d, 3), lambda d: NeRF(2, d)])
def test_sizes_are_positive(make) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        make(0)


def test_positional_needs_a_positive_maximum() -> None:
    with pytest.raises(ValueError, match=r"`max_frequency=0` must be a finite number above 0"):
        Positional(2, 4, 0)
