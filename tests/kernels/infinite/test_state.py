"""Squared distances of features keep their digits for near points."""

import pytest

from ntkit.kernels.infinite.state import state_of_features
from tests.cases import randn
from tests.tolerances import assert_near


@pytest.mark.parametrize("distance", [1.0, 1e-3, 1e-6, 1e-10])
def test_gap_is_relatively_accurate(distance: float) -> None:
    z = randn(5, 16)
    near = z + distance * randn(5, 16, seed=1)
    state = state_of_features(z, near)
    expected = (z - near).pow(2).mean(1)
    # Above the share of the variance where it is computed again, up to 1e-10 of it is lost.
    assert_near(state.gap.diagonal(), expected, loosen=100 if distance > 1e-2 else 1000)


def test_moments_are_means_over_features() -> None:
    z1, z2 = randn(3, 8), randn(4, 8, seed=1)
    state = state_of_features(z1, z2)
    assert_near(state.cov, z1 @ z2.T / 8)
    assert_near(state.gap, (z1[:, None] - z2).pow(2).mean(-1), loosen=10)
    assert_near((state.var1 + state.var2 - 2 * state.cov), state.gap, loosen=10)
    assert float(state.ntk.abs().max()) == 0
