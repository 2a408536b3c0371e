"""The autocorrelation of a residual against a plain loop, and what it is of noise that is known."""

import pytest
import torch

from ntkit.reconstruction import whiteness
from tests.cases import randn


def by_hand(values: torch.Tensor, down: int, across: int) -> float:
    """Sum of products of what is so far apart, over the root of the sums of squares of both; about the mean of what was measured."""
    known = ~torch.isnan(values.real)
    mean = values[known].mean()
    pairs = torch.stack([
        torch.stack([values[y, x] - mean, values[y + down, x + across] - mean])
        for y in range(values.shape[0] - down)
        for x in range(values.shape[1] - across)
        if known[y, x] and known[y + down, x + across]
    ])
    product = (pairs[:, 0] * pairs[:, 1].conj()).real.sum()
    return float(product / pairs.abs().square().sum(0).prod().sqrt())


@pytest.mark.parametrize("is_complex", [False, True])
def test_it_is_that_of_a_plain_loop(is_complex: bool) -> None:
    values = torch.complex(randn(9, 12), randn(9, 12)) if is_complex else randn(9, 12)
    values[2, 3:6] = torch.nan
    values[7] = torch.nan
    found = whiteness(values, lags=3).autocorrelation
    assert found.shape == (7, 7)
    assert float(found[3, 3]) == pytest.approx(1)
    for down, across in [(0, 1), (1, 0), (2, 3), (3, 3)]:
        assert float(found[3 + down, 3 + across]) == pytest.approx(by_hand(values, down, across))
    torch.testing.assert_close(found, found.flip(0, 1))


def test_neighbours_of_noise_and_of_averages() -> None:
    noise = randn(400, 400)
    found = whiteness(noise)
    assert abs(found.neighbours) < 4 * found.chance
    assert found.chance == pytest.approx(1 / 400, rel=0.01)
    averaged = (noise[:, 1:] + noise[:, :-1]) / 2  # neighbours share one of two
    assert whiteness(averaged).neighbours == pytest.approx(0.5, abs=0.01)
    assert whiteness(averaged.T).neighbours == pytest.approx(0.5, abs=0.01)


def test_a_correlation_is_at_most_one_however_few_pairs_there_are() -> None:
    """What has neighbours is three times as large as what has none: over the size of all it would be 2."""
    values = torch.full((1, 40), torch.nan, dtype=torch.float64)
    values[0, 10:40:4] = 1.0
    values[0, :2], values[0, 4:6] = 3.0, -3.0
    found = whiteness(values)
    assert 0.9 < found.neighbours <= 1
    assert bool(found.autocorrelation[0, 9:].isnan().any())  # no pair is three apart


def test_what_has_no_autocorrelation() -> None:
    with pytest.raises(ValueError, match="is constant"):
        whiteness(torch.ones(4, 4))
