"""Distances of features keep their digits for near and for near-opposite points."""

import mpmath
import pytest
import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.moments.distances import state_of_features
from tests.cases import randn
from tests.tolerances import assert_near

DISTANCES = [1.0, 1e-3, 1e-6, 1e-10, 1e-14]


def pair_of(z1: Tensor, z2: Tensor) -> Pair:
    return state_of_features(z1, z2, "each", with_ntk=False, with_variances=True).pair


def exact_distances(u: Tensor, v: Tensor) -> tuple[float, float]:
    """`2 (|u||v| -+ u.v)` over the number of features, in 50 digits."""
    with mpmath.workdps(50):
        a, b = [[mpmath.mpf(float(k)) for k in w] for w in (u, v)]
        dot = sum(p * q for p, q in zip(a, b, strict=True)) / len(a)
        lengths = mpmath.sqrt(sum(p * p for p in a) * sum(q * q for q in b)) / len(a)
        return float(2 * (lengths - dot)), float(2 * (lengths + dot))


@pytest.mark.parametrize("sign", [1, -1], ids=["parallel", "opposite"])
@pytest.mark.parametrize("stretch", [1.0, 3.0, 1e-8, 1e8])
@pytest.mark.parametrize("distance", DISTANCES)
def test_both_distances_are_relatively_accurate(distance: float, stretch: float, sign: int) -> None:
    z = randn(5, 16)
    near = sign * stretch * (z + distance * randn(5, 16, seed=1))
    pair = pair_of(z, near)
    exact = torch.tensor(
        [exact_distances(u, v) for u, v in zip(z, near, strict=True)], dtype=torch.float64
    )
    # From the difference of unit vectors, whose entries are rounded, down to 1e-3 of the lengths;
    # in twice the precision below.
    for found, expected in zip((pair.apart, pair.together), exact.T, strict=True):
        error = ((found.diagonal() - expected) / expected).abs().max()
        assert float(error) < 2e-13, (distance, float(error))


@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-6, 1e-10])
def test_gap_is_as_accurate_as_the_difference_of_the_lengths(distance: float) -> None:
    z = randn(5, 16)
    near = z + distance * randn(5, 16, seed=1)
    expected = (z - near).pow(2).mean(1)
    # Beside the distance of the directions it holds the square of |u| - |v|, of rounded lengths.
    assert_near(pair_of(z, near).gap.diagonal(), expected, loosen=1 + 1e-3 / distance)


def test_moments_are_means_over_features() -> None:
    z1, z2 = randn(3, 8), randn(4, 8, seed=1)
    pair = pair_of(z1, z2)
    assert_near(pair.cov, z1 @ z2.T / 8)
    assert_near(pair.gap, (z1[:, None] - z2).pow(2).mean(-1), loosen=10)
    assert_near(pair.total, (z1[:, None] + z2).pow(2).mean(-1), loosen=10)
    assert_near((pair.var1 + pair.var2 - 2 * pair.cov), pair.gap, loosen=10)


def test_positions_each_and_in_pairs() -> None:
    """`[n, *positions, f]`: each position with itself is the diagonal of all pairs."""
    z1, z2 = randn(3, 2, 4, 6), randn(2, 2, 4, 6, seed=1)
    pairs = state_of_features(z1, z2, "pairs", with_ntk=False, with_variances=True)
    expected = torch.einsum("nabf,mcdf->nmabcd", z1, z2) / 6
    assert_near(pairs.cov, expected)
    each = state_of_features(z1, z2, "each", with_ntk=False, with_variances=True)
    assert_near(each.cov, torch.einsum("nmabab->nmab", expected))
    assert_near(pairs.each().pair.gap, each.pair.gap, loosen=10)
    assert_near(each.pair.gap, (z1[:, None] - z2).pow(2).mean(-1), loosen=10)
