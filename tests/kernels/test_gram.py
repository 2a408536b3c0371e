"""Operators of kernels on points: the structure found, and its entries."""

from importlib import import_module

import pytest
import torch

from ntkit import Grid, encodings, gram, ntk
from tests.cases import GRIDS, layered, randn, seeded
from tests.tolerances import assert_near


def gaussian(d: int, *, integer: bool = False) -> encodings.Gaussian:
    return encodings.Gaussian(d, 24, 3.0, seeded(), integer=integer)


@pytest.mark.parametrize(("fine", "coarse"), GRIDS, ids=lambda g: str(g.shape))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_toeplitz_blocks_of_every_coset(fine: Grid, coarse: Grid, dtype: torch.dtype) -> None:
    kernel = ntk(layered(gaussian(fine.ndim)))
    for _, coset in fine.cosets(coarse):
        op = gram(kernel, coset, coarse, dtype=dtype)
        assert op.kind == "toeplitz"
        assert_near(op.dense(), kernel(coset.points(), coarse.points()), loosen=10)


@pytest.mark.parametrize("grid", [Grid(9), Grid((7, 4)), Grid((6, 9))[::2, 1::3], Grid((3, 4, 5))])
def test_symmetric_toeplitz(grid: Grid) -> None:
    kernel = ntk(layered(gaussian(grid.ndim)))
    op = gram(kernel, grid)
    assert op.is_symmetric
    assert_near(op.dense(), kernel(grid.points()), loosen=10)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 1.5, 4.0, 30.0, 0.3])
@pytest.mark.parametrize(("rows", "cols"), [((5, 4), (5, 4)), ((1, 4), (5, 1)), ((3, 6), (4, 2))])
def test_mirrored_tables(shift: float, rows: tuple[int, int], cols: tuple[int, int]) -> None:
    """Grids shifted by whole, half and other steps: the lags are mirrored where that is possible."""
    kernel, spacing = ntk(layered(gaussian(2))), (0.11, 0.07)
    first = Grid(rows, origin=(0.11 * shift, 0.07 * shift), spacing=spacing)
    second = Grid(cols, origin=0.0, spacing=spacing)
    op = gram(kernel, first, second)
    assert op.kind == "toeplitz"
    assert_near(op.dense(), kernel(first.points(), second.points()), loosen=100)


@pytest.mark.parametrize("grid", [Grid(9), Grid((8, 6))[::2, 1::3], Grid((3, 4, 5))], ids=str)
@pytest.mark.parametrize("offset", [0.0, 0.013])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_circulant(grid: Grid, offset: float, dtype: torch.dtype) -> None:
    kernel = ntk(layered(gaussian(grid.ndim, integer=True)))
    moved = Grid(grid.shape, [o + offset for o in grid.origin], grid.spacing)
    op = gram(kernel, moved, grid, dtype=dtype)
    assert op.kind == "circulant"
    assert_near(op.dense(), kernel(moved.points(), grid.points()), loosen=10)


def test_auto_says_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    x, even, odd = randn(4, 2), Grid((8, 8))[::2, ::2], Grid((9, 9))[::2, ::2]
    periodic, stationary = ntk(layered(encodings.Basic(2))), ntk(layered(gaussian(2)))
    raw = ntk(layered(encodings.Identity(2)))
    assert gram(periodic, even).kind == "circulant"
    assert gram(periodic, odd).kind == "toeplitz"
    assert gram(stationary, even).kind == "toeplitz"
    assert gram(stationary, even, Grid((5, 5))).kind == "dense"
    assert gram(raw, even).kind == gram(stationary, x).kind == "dense"
    monkeypatch.setattr(import_module("ntkit.kernels.gram"), "DENSE_BYTES", 8 * 15)
    assert gram(stationary, x).kind == "tiled"


@pytest.mark.parametrize("structure", ["dense", "tiled"])
def test_points_and_grids_mix(structure) -> None:
    kernel, x, grid = ntk(layered(gaussian(2))), randn(5, 2), Grid((3, 4))
    expected = kernel(x, grid.points())
    assert_near(gram(kernel, x, grid, structure=structure).dense(), expected)
    assert_near(gram(kernel, grid, x, structure=structure).dense(), expected.T)
    assert_near(gram(kernel, x, structure=structure).dense(), kernel(x), loosen=10)


@pytest.mark.parametrize(
    ("structure", "encoding", "points", "others", "match"),
    [
        ("toeplitz", gaussian(2), randn(4, 2), None, "both point sets to be Grids, got a tensor"),
        ("toeplitz", encodings.Identity(2), Grid((4, 4)), None, "needs a stationary kernel"),
        ("toeplitz", gaussian(2), Grid((4, 4)), Grid((5, 5)), "grids of the same spacing"),
        ("circulant", gaussian(2), Grid((4, 4)), None, "needs whole-cycle frequencies"),
        ("circulant", encodings.Basic(1), Grid(9)[::2], None, r"shape \* spacing = 1"),
        ("fft", gaussian(2), Grid((4, 4)), None, "`structure='fft'` must be \"auto\""),
    ],
)
def test_structures_that_do_not_hold(unchecked, structure, encoding, points, others, match) -> None:
    with pytest.raises(ValueError, match=match):
        gram(ntk(layered(encoding)), points, others, structure=structure)
