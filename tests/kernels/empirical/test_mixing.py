"""Networks whose samples mix have no kernel, by any of its doors; those that only look like it have one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import ntkit
from ntkit.kernels import Contraction, FeatureStore, Sketch, Structured, empirical_ntk
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.mixing import COUPLED, OWN, Before, points_of
from tests.tolerances import assert_near

DOORS: dict[str, Callable[[nn.Module, Any], object]] = {
    "auto": lambda net, x: empirical_ntk(net)(x),
    "structured": lambda net, x: empirical_ntk(net, "full", method=Structured())(x),
    "contraction": lambda net, x: empirical_ntk(net, method=Contraction())(x),
    "sketch": lambda net, x: empirical_ntk(net, method=Sketch(16))(x),
    "cross": lambda net, x: empirical_ntk(net)(x[:1], x),
    "diagonal": lambda net, x: empirical_ntk(net).diag(x),
    "features": lambda net, x: empirical_ntk(net).features(x),
    "size": lambda net, x: empirical_ntk(net, "full").size(x),
    "plan": lambda net, x: empirical_ntk(net).plan(x),
    "verify": lambda net, x: empirical_ntk(net).verify(x),
    "lazy": lambda net, x: ntkit.gram(empirical_ntk(net), x, lazy=True),
    "flow": lambda net, x: ntkit.GradientFlow(empirical_ntk(net), x, torch.ones(len(x))),
}


@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_samples_that_mix(door: str) -> None:
    net = COUPLED["divided by the largest"]().double()
    with pytest.raises(ValueError, match=r"`module` mixes the samples.*is then not defined"):
        DOORS[door](net, randn(6, 4))


@pytest.mark.parametrize("kind", COUPLED)
def test_every_coupling_is_refused(kind: str) -> None:
    net = COUPLED[kind]().double()
    with pytest.raises(ValueError, match="mixes the samples"):
        empirical_ntk(net)(points_of(net))


@pytest.mark.parametrize("kind", OWN)
def test_samples_on_their_own_have_a_kernel(kind: str) -> None:
    net = OWN[kind]().double()
    assert_near(empirical_ntk(net)(points_of(net)), oracle.trace(net, points_of(net)))


def test_a_store_takes_no_samples_that_mix(tmp_path: Any) -> None:
    store = FeatureStore(tmp_path, empirical_ntk(COUPLED["centred"]().double(), method=Sketch(16)))
    with pytest.raises(ValueError, match="mixes the samples"):
        store.append(randn(6, 4))


def test_a_module_is_looked_at_once_for_points_of_a_kind() -> None:
    runs = []
    net = Before(lambda x: runs.append(len(x)) or x).double()
    kernel, x = empirical_ntk(net), randn(6, 4)
    kernel(x)
    first = len(runs)
    kernel(x)
    assert len(runs) - first == 1
    kernel(x[:5])
    assert len(runs) - first > 5
