"""Grids: slices are sub-sets of the points, and cosets tile the grid."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit import Grid
from tests.cases import GRIDS
from tests.tolerances import assert_near

SLICES = st.builds(slice, st.integers(0, 2), st.none() | st.integers(3, 6), st.integers(1, 4))


@given(
    shape=st.lists(st.integers(3, 6), min_size=1, max_size=3),
    cuts=st.lists(SLICES, min_size=3, max_size=3),
)
def test_slicing_a_grid_slices_its_points(shape, cuts) -> None:
    cut = tuple(cuts[: len(shape)])
    grid = Grid(shape, origin=0.25)
    whole = grid.points().reshape(*shape, len(shape))
    expected = whole[cut].flatten(0, -2)
    assert_near(grid[cut].points(), expected)
    assert len(grid[cut]) == len(expected)


@pytest.mark.parametrize(("fine", "coarse"), GRIDS, ids=lambda g: str(g.shape))
def test_cosets_tile_the_grid(fine: Grid, coarse: Grid) -> None:
    seen = torch.full((*fine.shape, fine.ndim), torch.nan, dtype=torch.float64)
    for cut, coset in fine.cosets(coarse):
        assert coset.same_spacing(coarse)
        assert bool(seen[cut].isnan().all()), "no point twice"
        seen[cut] = coset.points().reshape(*coset.shape, fine.ndim)
    assert_near(seen.flatten(0, -2), fine.points())


def test_the_end_point_is_excluded_and_the_order_is_the_arrays() -> None:
    expected = [[0, 0], [0, 1 / 3], [0, 2 / 3], [0.5, 0], [0.5, 1 / 3], [0.5, 2 / 3]]
    assert_near(Grid((2, 3)).points(), torch.tensor(expected, dtype=torch.float64))


def test_only_what_divides_the_period_spans_it() -> None:
    assert Grid((8, 5)).spans_unit_period()
    assert Grid((8, 6))[::2, 1::3].spans_unit_period()
    assert not Grid(9)[::2].spans_unit_period()
    assert not Grid(8)[:4].spans_unit_period()


def test_grids_are_values() -> None:
    assert Grid((4, 4))[::2] == Grid((2, 4), spacing=(0.5, 0.25))
    assert hash(Grid(3)) == hash(Grid((3,)))
    assert not Grid(4).same_spacing(Grid((4, 4)))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Grid(0), ValueError, r"`Grid\(shape=0\)` needs one or more axes"),
        (lambda: Grid(()), ValueError, "needs one or more axes"),
        (lambda: Grid(4, spacing=-1.0), ValueError, "must be above 0 along every axis"),
        (lambda: Grid((4, 4), origin=(0.0,)), ValueError, r"`Grid\(origin=.*\)` needs 2 numbers"),
        (lambda: Grid(4)[0], TypeError, "takes up to 1 slices, got 0"),
        (lambda: Grid(4)[:, :], TypeError, "takes up to 1 slices"),
        (lambda: Grid(4)[::-1], ValueError, "positive steps and no empty axis"),
        (lambda: Grid(4)[4:], ValueError, "positive steps and no empty axis"),
        (lambda: Grid(4).cosets(Grid((4, 4))), ValueError, "share no lags"),
        (lambda: Grid(4).cosets(Grid(3)), ValueError, "does not divide"),
        (lambda: Grid(4).cosets(Grid(8)), ValueError, "does not divide"),
    ],
)
def test_errors(unchecked, call, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
