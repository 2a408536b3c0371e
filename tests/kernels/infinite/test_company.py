"""Infinite kernels of modules that mix points are refused: the module itself is run on some."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import encodings
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear, symmetrise
from tests.cases import randn
from tests.mixing import COUPLED, Before, points_of

ON_POINTS = [kind for kind in COUPLED if points_of(COUPLED[kind]()).is_floating_point()]


@pytest.mark.parametrize("kind", ON_POINTS)
@pytest.mark.parametrize("which", [ntkit.ntk, ntkit.nngp])
def test_every_coupling_is_refused(kind: str, which: Callable[[nn.Module], Any]) -> None:
    """By the run, or before it by a rule that names the call."""
    net = COUPLED[kind]().double()
    x = points_of(net)
    with pytest.raises((ValueError, UnsupportedLayerError)):
        which(net)(x.double() if x.is_floating_point() else x)


@pytest.mark.parametrize("door", ["call", "cross", "diag", "plan", "monte_carlo"])
def test_each_door(door: str) -> None:
    kernel, x = ntkit.ntk(Before(lambda x: x - x.mean(0), 32).double()), randn(5, 4)
    doors: dict[str, Callable[[], object]] = {
        "call": lambda: kernel(x),
        "cross": lambda: kernel(x[:1], x),
        "diag": lambda: kernel.diag(x),
        "plan": lambda: kernel.plan(x),
        "monte_carlo": lambda: kernel.monte_carlo(x, 2),
    }
    with pytest.raises(ValueError, match=r"`Before` mixes the samples.*at any width"):
        doors[door]()


def test_points_that_drop_out_do_not_count_as_chance() -> None:
    layers = Linear(4, 32), nn.ReLU(), nn.Dropout(0.25), Linear(32, 1)
    net = nn.Sequential(*layers).double()
    with pytest.warns(UserWarning, match="is on, as in training mode"):
        ntkit.ntk(net)(randn(5, 4))


def test_a_grid_is_looked_at_too() -> None:
    encoding = encodings.Gaussian(2, 8, 2.0, generator=torch.Generator().manual_seed(0))
    net = nn.Sequential(encoding, Linear(16, 32), Centred(), nn.ReLU(), Linear(32, 1))
    with pytest.raises((ValueError, UnsupportedLayerError)):
        ntkit.gram(ntkit.ntk(net), ntkit.Grid((8, 8)))


class Centred(nn.Module):
    """Minus the mean of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


def test_what_keeps_points_apart_runs_as_before() -> None:
    net = symmetrise(nn.Sequential(Linear(4, 32), nn.ReLU(), Linear(32, 1)))
    assert ntkit.ntk(net)(randn(5, 4).float()).shape == (5, 5)
    runs: list[int] = []
    counted = Before(lambda x: x, 32).double()
    kernel = ntkit.ntk(counted)
    handle = counted.a.register_forward_pre_hook(lambda _, x: runs.append(len(x[0])))
    kernel(randn(5, 4))
    first = len(runs)
    kernel(randn(6, 4))
    assert len(runs) == first
    handle.remove()
