"""Random networks: their infinite-width kernels against finite networks (`benchmarks/fuzz_infinite.py` draws 300)."""

import pytest
import torch

from tests.fuzz.limits import Effort, extrapolated, said_at
from tests.fuzz.wide import draw

pytestmark = pytest.mark.slow


SEEDS = (2, 11, 20, 23, 24, 26, 28, 31, 33)
"""Those whose duals are quickly there."""
WIDTHS = (24, 96)
EFFORT = Effort(draws=384)

BOUND = 5
"""Standard errors. The draws are the same at every run."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
def test_kernels_are_the_limit_of_finite_networks(seed: int) -> None:
    said = said_at(seed, *WIDTHS)
    for limit in said.values():
        assert limit.warned == ()
        assert limit.inconsistent < 1e-9
    for off in extrapolated(seed, said, EFFORT).values():
        assert off.deviations < BOUND


def test_an_architecture_does_not_depend_on_the_width() -> None:
    for seed in range(40):
        narrow, wide = draw(seed, 16), draw(seed, 32)
        assert narrow.words == wide.words
        assert narrow.inputs == wide.inputs
        names = [[name for name, _ in n.module.named_parameters()] for n in (narrow, wide)]
        assert names[0] == names[1]


def test_networks_take_their_points() -> None:
    for seed in range(100, 160):
        network = draw(seed, 16)
        with torch.no_grad():
            assert len(network.module(*network.points(2))) == 2
