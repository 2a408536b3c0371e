"""Kernels of many architectures against values of neural-tangents (see `data/README.md`)."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ntkit import nngp, ntk
from tests.kernels.infinite.activation_recipes import ACTIVATIONS, HERMITE, KINKED, NUMERICAL
from tests.kernels.infinite.reference_networks import RECIPES, SMOOTH, Recipe, full_spatial

DATA = Path(__file__).parent / "data" / "reference.npz"
TOLERANCE = 1e-10
"""Relative, of every entry."""

LOST_DIGITS = 1e-6
"""Where the peer takes a small angle from its cosine."""

INTEGRATED = {"NUMERICAL": 1e-6, "KINKED": 3e-2}
"""Where the peer integrates numerically; ten times as much on its diagonal, as its notes say. Across a
kink it is off by up to 3 %."""

ALL = {**RECIPES, **SMOOTH, **ACTIVATIONS, **HERMITE}


@cache
def entry(name: str) -> Tensor:
    with np.load(DATA, allow_pickle=False) as data:
        return torch.from_numpy(data[name])


def points(recipe: Recipe) -> tuple[Tensor, Tensor]:
    x1, x2 = (recipe.points(entry(f"inputs/{recipe.inputs}/{k}")) for k in ("x1", "x2"))
    return x1, x2


def largest_error(actual: Tensor, expected: Tensor) -> float:
    return float(((actual - expected) / expected).abs().max())


def bounds(name: str, recipe: Recipe, which: str) -> tuple[float, float]:
    """Between points, and on the diagonal."""
    for names, kind in ((NUMERICAL, "NUMERICAL"), (KINKED, "KINKED")):
        if name in names:
            return INTEGRATED[kind], 10 * INTEGRATED[kind]
    is_hard = which == "ntk" and recipe.inputs == "vec_hard"
    return LOST_DIGITS if is_hard else TOLERANCE, LOST_DIGITS if which == "ntk" else TOLERANCE


@pytest.mark.filterwarnings("ignore:.dropout.*as in training mode")
@pytest.mark.filterwarnings("ignore:The variance of the units")
@pytest.mark.parametrize("name", ALL)
def test_values_of_neural_tangents(name: str) -> None:
    recipe = ALL[name]
    net, (x1, x2) = recipe.make(), points(recipe)
    for which, make in (("nngp", nngp), ("ntk", ntk)):
        kernel, (bound, on_diagonal) = make(net), bounds(name, recipe, which)
        assert largest_error(kernel(x1, x2), entry(f"{name}/{which}")) < bound
        found = kernel(x1)
        assert bool(found.isfinite().all())
        assert largest_error(kernel.diag(x1), found.diagonal()) < 1e-13
        if name.startswith("act_rectified"):
            continue  # NaN there
        within = entry(f"{name}/{which}_11")
        apart = ~torch.eye(len(x1), dtype=torch.bool)
        assert largest_error(found[apart], within[apart]) < bound
        assert largest_error(found.diagonal(), within.diagonal()) < on_diagonal


def test_all_pairs_of_pixels() -> None:
    x1, x2 = (entry(f"inputs/img/{k}")[:1].movedim(-1, 1).contiguous() for k in ("x1", "x2"))
    for which, make in (("nngp", nngp), ("ntk", ntk)):
        expected = entry(f"conv_full_spatial/{which}").permute(0, 2, 1, 3)
        net = full_spatial()
        table = make(net, positions="pairs")(x1, x2)
        assert largest_error(table[0, 0], expected) < TOLERANCE
        each = torch.einsum("nmabab->nmab", table)
        assert largest_error(make(net)(x1, x2), each) < 1e-13
