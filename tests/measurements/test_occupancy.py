"""Where anything may be: what is kept, what is emptied, and what is saved."""

import pytest
import torch
from torch import Tensor

from ntkit.measurements import OccupancyGrid
from tests.cases import seeded


def ball(points: Tensor) -> Tensor:
    """Density 50 inside of a ball of radius 0.2 in the middle."""
    return 50.0 * ((points - 0.5).norm(dim=1) < 0.2)


def looked(grid: OccupancyGrid, density=ball, times: int = 30, seed: int = 0) -> OccupancyGrid:
    generator = seeded(seed)
    for _ in range(times):
        grid.update(density, generator)
    return grid


def test_nothing_is_empty_before_it_was_looked_at() -> None:
    grid = OccupancyGrid(8)
    assert grid.share == 1
    grid.update(lambda points: torch.zeros(len(points)), seeded())
    assert grid.share == 0  # all 512 cells were looked at
    part = OccupancyGrid(8, n_points=100)
    part.update(lambda points: torch.zeros(len(points)), seeded())
    assert 0.8 < part.share <= 1  # and here 100, each with neighbours that were not


def test_it_errs_on_the_side_of_keeping() -> None:
    """All of the ball is in cells that are kept, and what is far from it is not."""
    grid = looked(OccupancyGrid(16))
    points = torch.rand(20_000, 3, generator=seeded(1))
    kept = grid(points)
    assert bool(kept[ball(points) > 0].all())
    far = (points - 0.5).norm(dim=1) > 0.2 + 2 * 3**0.5 / 16
    assert not bool(kept[far].any())
    assert 0.03 < grid.share < 0.3


def test_empty_cells_fill_again() -> None:
    grid = looked(OccupancyGrid(16), lambda points: torch.zeros(len(points)))
    assert grid.share == 0
    looked(grid)
    points = torch.rand(5000, 3, generator=seeded(1))
    assert bool(grid(points)[ball(points) > 0].all())


def test_what_is_known_to_be_empty_stays_empty_and_is_not_asked() -> None:
    possible = torch.zeros(8, 8, 8, dtype=torch.bool)
    possible[:4] = True
    asked = []

    def density(points: Tensor) -> Tensor:
        asked.append(points)
        return torch.full((len(points),), 99.0)

    grid = looked(OccupancyGrid(8, possible=possible), density, times=3)
    assert torch.equal(grid.occupied, possible)
    assert float(torch.cat(asked)[:, 0].max()) <= 0.5


def test_every_sixteenth_step_looks() -> None:
    grid, calls, generator = OccupancyGrid(4), [], seeded()

    def density(points: Tensor) -> Tensor:
        calls.append(int(grid.steps))
        return torch.zeros(len(points))

    for _ in range(40):
        grid.step(density, generator)
    assert calls == [16, 32]


def test_all_that_it_knows_is_in_its_state() -> None:
    """A grid goes on from a saved one as that itself would have."""
    grid = looked(OccupancyGrid(16), times=5)
    other = OccupancyGrid(16)
    other.load_state_dict(grid.state_dict())
    for one in (grid, other):
        looked(one, times=5, seed=3)
    for name, value in grid.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_nothing_possible_is_nothing_to_look_at() -> None:
    grid = OccupancyGrid(4, possible=torch.zeros(4, 4, 4, dtype=torch.bool))
    looked(grid, times=1)
    assert grid.share == 0


def test_errors() -> None:
    with pytest.raises(
        ValueError, match=r"`possible` has shape \(4, 4, 4\); a grid of `resolution=8`"
    ):
        OccupancyGrid(8, possible=torch.ones(4, 4, 4, dtype=torch.bool))
    with pytest.raises(ValueError, match="`threshold=0` must be a finite number above 0"):
        OccupancyGrid(8, threshold=0)
