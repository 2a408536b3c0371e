"""Kernels of the zoo, small networks of every kind, against values of neural-tangents."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ntkit import nngp, ntk
from tests.kernels.infinite.zoo import NUMERICAL, ZOO
from tests.kernels.infinite.zoo.base import Example

DATA = Path(__file__).parent / "data" / "zoo.npz"
TOLERANCE = 1e-10
"""Relative, of every entry."""

INTEGRATED = 1e-6
"""Where the peer integrates numerically; ten times as much on its diagonal, as its notes say."""

LOST_DIGITS = 1e-6
"""On diagonals, where the peer takes the angle zero from its cosine."""

FILLED = 1000.0
"""What stands in the inputs where a sequence has ended."""


@cache
def data() -> dict[str, Tensor]:
    with np.load(DATA, allow_pickle=False) as stored:
        return {name: torch.from_numpy(stored[name]) for name in stored.files}


def points(example: Example, side: str) -> Any:
    """As the network takes them."""
    found = [data()[f"inputs/{name}/{side}"] for name in example.inputs]
    if example.masked:
        real = (found[0][..., :1] != FILLED).double()
        found = [found[0] * real, real]
    if example.channels_first:
        found[0] = found[0].movedim(-1, 1).contiguous()
    return tuple(found) if len(found) > 1 else found[0]


def references(name: str) -> list[Tensor]:
    """`[2, n, m + n, ...]` for each output of the network."""
    if name in data():
        return [data()[name]]
    return [data()[f"{name}/{k}"] for k in range(2)]


def error(actual: Tensor, expected: Tensor) -> float:
    """The largest relative error; zeros must be met exactly."""
    assert actual.shape == expected.shape
    assert bool(actual.isfinite().all())
    known = expected.isfinite()  # the peer's rectified monomials are NaN on diagonals
    difference = (actual - expected)[known].abs()
    scale = expected[known].abs()
    return float((difference / torch.where(difference == 0, 1, scale)).max()) if len(scale) else 0.0


@pytest.mark.filterwarnings("ignore:.dropout.*as in training mode")
@pytest.mark.filterwarnings("ignore:The variance of the units")
@pytest.mark.parametrize("name", ZOO)
def test_values_of_neural_tangents(name: str) -> None:
    example = ZOO[name]
    net, x1, x2 = example.make(), points(example, "x1"), points(example, "x2")
    positions = "pairs" if name.startswith("pairs") else "each"
    between = INTEGRATED if name in NUMERICAL else TOLERANCE
    for row, make in enumerate((nngp, ntk)):
        kernel = make(net, positions=positions)
        on_diagonal = 10 * between if name in NUMERICAL else LOST_DIGITS if row else TOLERANCE
        found = [kernel(x1, x2), kernel(x1), kernel.diag(x1)]
        outputs = zip(*found, strict=True) if isinstance(found[0], tuple) else [found]
        for (cross, within, diagonal), whole in zip(outputs, references(name), strict=True):
            reference = whole[row].transpose(3, 4) if positions == "pairs" else whole[row]
            m, apart = cross.shape[1], ~torch.eye(len(within), dtype=torch.bool)
            assert error(cross, reference[:, :m]) < between
            assert error(within[apart], reference[:, m:][apart]) < between
            assert error(within[~apart], reference[:, m:][~apart]) < on_diagonal
            assert error(diagonal, within[~apart]) < 1e-12


def test_every_reference_has_its_network() -> None:
    names = {k.partition("/")[0] for k in data() if not k.startswith("inputs/")}
    assert names == set(ZOO)
