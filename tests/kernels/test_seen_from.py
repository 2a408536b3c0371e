"""A kernel seen from a point: the row of its Gram matrix, and what a cut through it looks like."""

import math

import pytest
import torch

from ntkit import Grid, encodings, ntk
from ntkit.kernels import InfiniteKernel, profile_of, seen_from
from ntkit.networks import mlp
from tests.cases import seeded

ENCODINGS = {
    "gaussian": encodings.Gaussian(2, 24, 2.5, seeded()),
    "positional": encodings.Positional(2, 6, 5.0),
    "identity": encodings.Identity(2),
}


@pytest.mark.parametrize("name", ENCODINGS)
@pytest.mark.parametrize("at", [(0, 0), (5, 2), (9, 11)])
def test_it_is_a_row_of_the_gram_matrix(name: str, at: tuple[int, int]) -> None:
    kernel = ntk(
        mlp(ENCODINGS[name], 1, width=32, depth=3, generator=seeded()), variances="default"
    )
    grid = Grid((10, 12))
    points = grid.points().double()
    here = at[0] * 12 + at[1]
    row = kernel(points, points)[here]
    torch.testing.assert_close(
        seen_from(kernel, grid, at), (row / row[here]).reshape(10, 12), atol=3e-6, rtol=0
    )


@pytest.mark.parametrize("at", [(10, 0), (0, -1), (0,), (0, 0, 0)])
def test_points_that_are_none_are_refused(at: tuple[int, ...]) -> None:
    kernel = ntk(mlp(ENCODINGS["gaussian"], 1, width=32, depth=1), variances="default")
    with pytest.raises(ValueError, match="no point of a grid"):
        seen_from(kernel, Grid((10, 12)), at)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 11.0])
def test_the_width_of_a_bell_is_its_full_width_at_half_maximum(sigma: float) -> None:
    x = torch.arange(201, dtype=torch.float64) - 90
    found = profile_of(0.3 + 2 * torch.exp(-(x**2) / (2 * sigma**2)), 90)
    assert found.width == pytest.approx(2 * sigma * math.sqrt(2 * math.log(2)), rel=0.02)
    assert (found.lobe, found.lobe_at) == (0.0, 0)
    assert found.floor == pytest.approx(0.3)


def test_the_side_lobe_of_a_sinc_is_the_known_one() -> None:
    x = torch.arange(2001, dtype=torch.float64) - 1000
    values = torch.sinc(x / 100)
    found = profile_of(values, 1000)
    low, high = -0.217234, 0.128375  # the first two extrema of sin(pi x) / (pi x)
    assert found.lobe == pytest.approx((high - low) / (1 - low), abs=1e-4)
    assert found.lobe_at == pytest.approx(246, abs=1)


def test_where_nothing_falls_there_is_no_width() -> None:
    with pytest.raises(ValueError, match="do not fall"):
        profile_of(torch.ones(5), 2)
    with pytest.raises(ValueError, match="none of 5 samples"):
        profile_of(torch.ones(5), 5)


def test_a_side_that_does_not_reach_a_half_counts_to_the_border() -> None:
    assert profile_of(torch.tensor([1.0, 0.9, 0.0]), 0).width == pytest.approx(1 + 0.4 / 0.9)
    assert profile_of(torch.tensor([0.8, 1.0, 0.0]), 1).width == pytest.approx(1 + 0.5)


@pytest.mark.parametrize("bandwidth", [0.5, 7.0])
def test_one_kernel_stretched_is_that_of_each_bandwidth(bandwidth: float) -> None:
    def kernel(b: float) -> InfiniteKernel:
        encoding = encodings.Gaussian(2, 24, bandwidth=b, generator=seeded())
        return ntk(mlp(encoding, 1, width=16, depth=3), variances="default")

    found = seen_from(kernel(1.0), Grid((10, 12)), (3, 5), stretch=bandwidth)
    wanted = seen_from(kernel(bandwidth), Grid((10, 12)), (3, 5))
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)


def test_what_has_no_frequencies_cannot_be_stretched() -> None:
    kernel = ntk(mlp(encodings.Identity(2), 1, width=16, depth=1))
    with pytest.raises(ValueError, match="stretch=2"):
        seen_from(kernel, Grid((10, 12)), (3, 5), stretch=2.0)
