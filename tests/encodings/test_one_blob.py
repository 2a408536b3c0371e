"""One bump among bins: its integral, the circle, and what a shift does."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.encodings import OneBlob
from tests.cases import seeded
from tests.tolerances import assert_near


def share(x: float, left: float, right: float, n: int) -> float:
    """Integral over a bin of the bumps at `x - 1`, `x` and `x + 1`."""

    def bump(t: mpmath.mpf, at: float) -> mpmath.mpf:
        return mpmath.mpf(15) / 16 * n * max(0, 1 - (n * (t - at)) ** 2) ** 2

    total = mpmath.mpf(0)
    for at in (x - 1, x, x + 1):
        a, b = max(left, at - 1 / n), min(right, at + 1 / n)
        total += mpmath.quad(lambda t, at=at: bump(t, at), [a, b]) if a < b else 0
    return float(total)


@pytest.mark.parametrize("n", [2, 3, 8])
def test_each_bin_holds_its_share_of_the_bump(n: int) -> None:
    x = torch.tensor([0.0, 0.03, 0.5, 0.61, 0.999], dtype=torch.float64)
    expected = [[share(float(at), i / n, (i + 1) / n, n) for i in range(n)] for at in x]
    assert_near(OneBlob(1, n)(x[:, None]), torch.tensor(expected, dtype=torch.float64))


@given(seed=st.integers(0, 99), n=st.sampled_from([2, 4, 16]))
def test_bins_sum_to_one_and_a_bin_s_shift_rolls_them(seed: int, n: int) -> None:
    x = torch.rand(5, 1, generator=seeded(seed), dtype=torch.float64)
    features = OneBlob(1, n)(x)
    assert float(features.min()) >= 0
    assert int((features > 0).sum(-1).max()) <= 4
    assert_near(features.sum(-1), torch.ones_like(x[:, 0]))
    assert_near(OneBlob(1, n)(x + 1 / n), features.roll(1, -1))
    assert_near(OneBlob(1, n)(x - 3), features, loosen=10)


def test_axes_follow_each_other() -> None:
    x = torch.rand(5, 2, generator=seeded())
    expected = torch.cat([OneBlob(1, 4)(x[:, :1]), OneBlob(1, 4)(x[:, 1:])], 1)
    assert torch.equal(OneBlob(2, 4)(x), expected)
    assert torch.equal(OneBlob(1, 4)(torch.tensor([[0], [7]])), OneBlob(1, 4)(torch.zeros(2, 1)))
    assert not OneBlob(1, 4).is_stationary
    assert repr(OneBlob(2, 4)) == "OneBlob(in_dim=2, n_bins=4, out_dim=8)"


def test_one_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_bins=1` must be at least 2: one bin is 1 everywhere"):
        OneBlob(1, 1)
