"""Differences of neighbours: against plain loops, with their adjoint, and their eigenvalues on a torus."""

from itertools import product

import pytest
import torch
from torch import Tensor

from ntkit.reconstruction.torus import Torus
from ntkit.reconstruction.variation import (
    curvature_of_differences,
    differences,
    differences_adjoint,
    lengths_of,
)
from tests.cases import randn
from tests.tolerances import assert_near

SHAPES = pytest.mark.parametrize("shape", [(7,), (1,), (4, 5), (1, 4), (3, 2, 4)], ids=str)


def by_loops(field: Tensor) -> Tensor:
    """Of one field `[*shape]`."""
    found = torch.zeros(field.ndim, *field.shape, dtype=field.dtype)
    for place in product(*map(range, field.shape)):
        for k in range(field.ndim):
            after = tuple(p + (i == k) for i, p in enumerate(place))
            if after[k] < field.shape[k]:
                found[(k, *place)] = field[after] - field[place]
    return found


@SHAPES
def test_differences_are_of_neighbours(shape: tuple[int, ...]) -> None:
    field = randn(2, 3, *shape)
    found = differences(field, len(shape))
    assert found.shape == (len(shape), 2, 3, *shape)
    for c, p in product(range(2), range(3)):
        assert_near(found[:, c, p], by_loops(field[c, p]))


@SHAPES
def test_the_adjoint_is_the_adjoint(shape: tuple[int, ...]) -> None:
    field, slopes = randn(2, *shape), randn(len(shape), 2, *shape, seed=1)
    left = (differences(field, len(shape)) * slopes).sum()
    right = (field * differences_adjoint(slopes)).sum()
    assert abs(float(left - right)) < 1e-12 * float(field.norm() * slopes.norm())


def test_lengths_are_over_axes_and_parts() -> None:
    slopes = randn(2, 3, 4, 5, 6)
    found = lengths_of(slopes)
    assert found.shape == (3, 1, 5, 6)
    for c, i, j in product(range(3), range(5), range(6)):
        total = sum(float(slopes[d, c, p, i, j]) ** 2 for d in range(2) for p in range(4))
        assert float(found[c, 0, i, j]) == pytest.approx(total**0.5, rel=1e-12)


@SHAPES
def test_waves_are_the_eigenvectors_on_a_torus(shape: tuple[int, ...]) -> None:
    """There differences wrap around; those of a grid that lies on it are less, never more."""
    torus, ndim = Torus.around(shape), len(shape)
    eigenvalues = curvature_of_differences(torus.frequencies())
    field = randn(*torus.lengths)
    expected = torch.zeros_like(field)
    for axis in range(ndim):
        expected += 2 * field - field.roll(1, axis) - field.roll(-1, axis)
    found = torus.on_torus(torch.fft.rfftn(field) * eigenvalues)
    assert_near(found, expected, loosen=10)
    whole = float((field * expected).sum())
    assert float(differences(torus.crop(field), ndim).square().sum()) <= whole * (1 + 1e-12)
