"""Samples: a linear map with its adjoint, whose rows are measurements too."""

import re

import pytest
import torch
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements import Samples

SHAPE = (5, 6)
MASK = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) < 0.4
KINDS = {
    "everywhere": Samples.everywhere(SHAPE),
    "every other": Samples.every_other(SHAPE),
    "every third from the second": Samples.every(SHAPE, 3, 1),
    "another step along each axis": Samples.every(SHAPE, (1, 2), (0, 1)),
    "mask": Samples.mask(MASK),
    "places, one twice": Samples.at(SHAPE, torch.tensor([[0, 0], [4, 5], [2, 3], [0, 0]])),
    "some rows": Samples.every_other(SHAPE)[torch.tensor([3, 1])],
}
ALL = pytest.mark.parametrize("samples", KINDS.values(), ids=list(KINDS))


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1))


@ALL
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_the_adjoint_is_the_adjoint(samples: Samples, dtype: torch.dtype) -> None:
    field, data = draw(*SHAPE, 2, dtype=dtype), draw(*samples.data_shape, 2, dtype=dtype)
    left = torch.vdot(data.flatten(), samples(field).flatten())
    right = torch.vdot(samples.adjoint(data).flatten(), field.flatten())
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


@ALL
def test_it_is_the_matrix_that_it_says(samples: Samples) -> None:
    matrix = torch.zeros(len(samples.index), 30, dtype=torch.float64)
    for row, place in enumerate(samples.index.tolist()):
        matrix[row, place] = 1
    field = draw(*SHAPE, 3)
    assert torch.equal(samples(field), matrix @ field.reshape(30, 3))
    assert torch.equal(samples.seen.flatten(), matrix.sum(0) > 0)


@ALL
def test_rows_are_rows(samples: Samples) -> None:
    field, rows = draw(*SHAPE, 1), torch.tensor([1, 0])
    assert torch.equal(samples[rows](field), samples(field)[rows])
    assert torch.equal(samples[1:](field), samples(field)[1:])


def test_sub_grids_are_the_cuts_that_they_name() -> None:
    field = draw(*SHAPE, 2)
    for samples in KINDS.values():
        if samples.lattice is not None:
            assert torch.equal(samples(field), field[samples.lattice].reshape(-1, 2))


def test_cosets_and_the_samples_are_the_whole_grid_once() -> None:
    grid = Grid(SHAPE)
    samples = Samples.every(SHAPE, (3, 2), (1, 0))
    assert samples.lattice is not None
    parts = [samples.lattice, *samples.cosets()]
    points = torch.cat([grid[cut].points() for cut in parts])
    assert len(points) == 30
    assert len(points.unique(dim=0)) == 30


def test_a_point_that_comes_twice_is_added_twice() -> None:
    samples = KINDS["places, one twice"]
    assert samples.adjoint(torch.ones(4, 1))[0, 0, 0] == 2


def test_gradients_go_through() -> None:
    field = draw(*SHAPE, 1).requires_grad_()
    samples = KINDS["mask"]
    samples(field).square().sum().backward()
    assert field.grad is not None
    assert torch.equal(field.grad, samples.adjoint(2 * samples(field)).detach())


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Samples.mask(torch.ones(3)), TypeError, "must be boolean, got torch.float32"),
        (lambda: Samples.mask(torch.zeros(3, dtype=torch.bool)), ValueError, "True nowhere"),
        (lambda: Samples.every((4, 4), (2, 2, 2)), ValueError, "each of the 2 axes"),
        (lambda: Samples.every((4, 4), 2, 4), ValueError, "must be a point of the grid"),
        (lambda: Samples.at((4,), torch.tensor([[4]])), ValueError, "outside of the grid"),
        (lambda: Samples.at((4, 4), torch.tensor([[4]])), ValueError, "points [n, 2] are needed"),
        (lambda: Samples.mask(MASK).cosets(), ValueError, "on a sub-grid alone"),
        (lambda: Samples.mask(MASK)(torch.ones(5, 6)), ValueError, "one last axis of outputs"),
        (lambda: Samples.mask(MASK).adjoint(torch.ones(1, 1)), ValueError, "`data` has shape"),
    ],
)
def test_refusals(make, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        make()


def test_groups_are_blocks_of_the_grid() -> None:
    """Eight by eight of a picture, along the line of a signal, and only those that hold a sample."""
    picture = Samples.every_other((64, 64))
    blocks = picture.groups.reshape(32, 32)
    assert torch.equal(blocks[::4, ::4].flatten(), torch.arange(64))
    assert torch.equal(blocks, blocks[::4, ::4].repeat_interleave(4, 0).repeat_interleave(4, 1))
    line = Samples.at((1000,), torch.tensor([[3], [999], [4], [500]]))
    assert line.groups.tolist() == [0, 2, 0, 1]
    assert len(Samples.everywhere((32, 32, 32)).groups.unique()) == 64
