"""Blurs, means of blocks, and values off the grid: against SciPy, plain loops and exact cases."""

import re
from itertools import product
from math import floor

import pytest
import torch
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements import Blur, Interpolation, Samples, Subsample
from tests.cases import randn
from tests.tolerances import assert_near

SCIPY = {"reflect": "reflect", "periodic": "wrap", "zero": "constant"}


@pytest.mark.parametrize("border", SCIPY)
@pytest.mark.parametrize("size", [(3, 5), (4, 2), (1, 1)])
def test_a_blur_is_scipys_convolution(border, size: tuple[int, int]) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    field, kernel = randn(6, 7, 1), randn(*size)
    theirs = ndimage.convolve(field[..., 0].numpy(), kernel.numpy(), mode=SCIPY[border])
    found = Blur((6, 7), kernel, border=border)(field)[..., 0]
    assert_near(found, torch.from_numpy(theirs), loosen=10)


def test_a_gaussian_blur_is_scipys() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    field = randn(20, 30, 1)
    theirs = ndimage.gaussian_filter(field[..., 0].numpy(), (1.0, 1.5), mode="reflect")
    assert_near(Blur((20, 30), (1.0, 1.5))(field)[..., 0], torch.from_numpy(theirs), loosen=10)


def test_inside_nothing_is_assumed_of_the_border() -> None:
    field, kernel = randn(6, 7, 2), randn(3, 2)
    inside = Blur((6, 7), kernel, border="inside")
    assert inside.data_shape == (4, 6)
    every = [Blur((6, 7), kernel, border=border)(field) for border in ("reflect", "zero")]
    for whole in every:
        assert_near(inside(field), whole[1:5, :6], loosen=10)


def test_no_width_is_no_blur() -> None:
    field = randn(6, 7, 2)
    assert_near(Blur((6, 7), 0.0)(field), field, loosen=10)


def test_a_constant_stays_under_a_gaussian() -> None:
    ones = torch.ones(40, 1, dtype=torch.float64)
    assert_near(Blur((40,), 2.0)(ones), ones, loosen=10)


def test_means_of_blocks() -> None:
    field, A = randn(6, 8, 2), Subsample((6, 8), (3, 2))
    assert A.data_shape == (2, 4)
    for i, j in product(range(2), range(4)):
        block = field[3 * i : 3 * i + 3, 2 * j : 2 * j + 2]
        assert_near(A(field)[i, j], block.mean((0, 1)))
    x = A.grid.points().sum(1).reshape(6, 8, 1)  # of a plane the mean is the value in the middle
    assert_near(A(x).flatten(), A.coarse().points().sum(1))


def test_blocks_are_groups_of_what_has_bands() -> None:
    A = Blur((48, 48), 0.5)
    assert torch.equal(A.groups, torch.arange(24).repeat_interleave(2))
    blocks = Samples.everywhere(A.data_shape) @ A
    assert len(blocks.groups.unique()) == 64


def by_corners(field: Tensor, cell: Tensor) -> float:
    """The sum over the corners of the cell around a place inside of the grid."""
    total = 0.0
    for corner in product((0, 1), repeat=len(cell)):
        place = [floor(float(c)) + k for c, k in zip(cell, corner, strict=True)]
        share = torch.tensor([1 - abs(float(c) - p) for c, p in zip(cell, place, strict=True)])
        total += float(field[tuple(place)]) * float(share.double().prod())
    return total


@pytest.mark.parametrize("shape", [(5,), (5, 6), (4, 5, 6)])
def test_interpolation_is_the_sum_over_corners(shape: tuple[int, ...]) -> None:
    grid = Grid(shape, origin=0.3, spacing=0.05)
    field = randn(*shape, 1)
    cells = randn(9, len(shape)).sigmoid() * (torch.tensor(shape) - 1.001)
    found = Interpolation(grid, 0.3 + 0.05 * cells)(field)
    for value, cell in zip(found, cells, strict=True):
        assert float(value) == pytest.approx(by_corners(field[..., 0], cell), abs=1e-6)


def test_interpolation_is_exact_at_the_grid_and_for_planes() -> None:
    grid, field = Grid((5, 6)), randn(5, 6, 2)
    assert_near(Interpolation(grid, grid.points())(field), field.reshape(30, 2))
    points = randn(20, 2).sigmoid() * 0.8
    plane = (grid.points() @ torch.tensor([2.0, -3.0]).double()).reshape(5, 6, 1)
    found = Interpolation(grid, points)(plane)[:, 0]
    assert_near(found, points @ torch.tensor([2.0, -3.0]).double(), loosen=10)
    assert Interpolation(grid, points).grid == grid


def test_beyond_the_last_point_the_field_is_constant() -> None:
    field = randn(4, 1)
    A = Interpolation(Grid(4), torch.tensor([[0.75], [0.9], [1.0], [-0.2]]))
    assert torch.equal(A(field)[:, 0], field[[3, 3, 3, 0], 0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blur((4, 4), torch.ones(3)), "`kernel` has shape (3,); 2 axes"),
        (lambda: Blur((4, 4), (1.0, 1.0, 1.0)), "one for each of 2 axes"),
        (lambda: Blur((4, 4), -1.0), "must be 0 or more"),
        (lambda: Blur((4, 4), 1.0), "`kernel` has shape (9, 9), and the field (4, 4)"),
        (lambda: Blur((4,), 0.1, border="mirror"), '"reflect", "periodic", "zero" or "inside"'),
        (lambda: Subsample((4, 5), 2), "must divide the shape (4, 5)"),
        (lambda: Subsample((4, 4), (2, 2, 2)), "must divide the shape"),
        (lambda: Interpolation(Grid(4), torch.ones(3, 2)), "[n, 1] is needed"),
        (
            lambda: Interpolation(Grid(4), torch.tensor([[1.1]])),
            "1 of 1 points more than a spacing",
        ),
    ],
)
def test_refusals(make, message: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_a_shape_is_no_grid(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`field_grid` must be a Grid, got tuple"):
        Interpolation((8, 8), torch.rand(5, 2))  # pyright: ignore[reportArgumentType]
