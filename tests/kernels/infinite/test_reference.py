"""Kernels of many architectures against values of neural-tangents (see `data/README.md`)."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ntkit import nngp, ntk
from tests.kernels.infinite.reference_networks import RECIPES, Recipe, full_spatial

DATA = Path(__file__).parent / "data" / "reference.npz"
TOLERANCE = 1e-10
"""Relative, of every entry."""

LOST_DIGITS = 1e-6
"""Where the peer takes a small angle from its cosine."""


@cache
def entry(name: str) -> Tensor:
    with np.load(DATA, allow_pickle=False) as data:
        return torch.from_numpy(data[name])


def points(recipe: Recipe) -> tuple[Tensor, Tensor]:
    x1, x2 = (recipe.points(entry(f"inputs/{recipe.inputs}/{k}")) for k in ("x1", "x2"))
    return x1, x2


def largest_error(actual: Tensor, expected: Tensor) -> float:
    return float(((actual - expected) / expected).abs().max())


@pytest.mark.filterwarnings("ignore:.*Dropout.*is in training mode")
@pytest.mark.parametrize("name", RECIPES)
def test_values_of_neural_tangents(name: str) -> None:
    recipe = RECIPES[name]
    net, (x1, x2) = recipe.make(), points(recipe)
    for which, make in (("nngp", nngp), ("ntk", ntk)):
        kernel = make(net)
        between, within = entry(f"{name}/{which}"), entry(f"{name}/{which}_11")
        is_hard = which == "ntk" and recipe.inputs == "vec_hard"
        bound = LOST_DIGITS if is_hard else TOLERANCE
        assert largest_error(kernel(x1, x2), between) < bound
        found = kernel(x1)
        apart = ~torch.eye(len(x1), dtype=torch.bool)
        assert largest_error(found[apart], within[apart]) < bound
        on_diagonal = LOST_DIGITS if which == "ntk" else TOLERANCE
        assert largest_error(found.diagonal(), within.diagonal()) < on_diagonal
        assert largest_error(kernel.diag(x1), found.diagonal()) < 1e-13


def test_all_pairs_of_pixels() -> None:
    x1, x2 = (entry(f"inputs/img/{k}")[:1].movedim(-1, 1).contiguous() for k in ("x1", "x2"))
    for which, make in (("nngp", nngp), ("ntk", ntk)):
        expected = entry(f"conv_full_spatial/{which}").permute(0, 2, 1, 3)
        net = full_spatial()
        table = make(net, positions="pairs")(x1, x2)
        assert largest_error(table[0, 0], expected) < TOLERANCE
        each = torch.einsum("nmabab->nmab", table)
        assert largest_error(make(net)(x1, x2), each) < 1e-13
