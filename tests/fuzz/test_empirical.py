"""Random networks: their empirical kernels against Jacobians (`benchmarks/fuzz_empirical.py` draws 300)."""

import pytest

from tests.fuzz.finite import draw
from tests.fuzz.jacobians import WAYS, compared

pytestmark = pytest.mark.slow


SEEDS = (0, 2, 3, 4, 7, 9, 12, 13)
BOUND = 1e-9
"""In shares of the largest entry, in float64."""


@pytest.mark.parametrize("seed", SEEDS)
def test_every_way_has_the_jacobians_kernel(seed: int) -> None:
    found = compared(draw(seed))
    assert found.crashed == {}
    assert found.refused == {}
    assert set(found.errors) == set(WAYS)
    assert max(found.errors.values()) < BOUND


def test_the_networks_of_the_tests_are_of_many_kinds() -> None:
    assert len({word for seed in SEEDS for word in draw(seed).words}) > 15
