"""A start function is one of each point alone, or is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

import ntkit
from ntkit.kernels import RBF
from tests.cases import randn
from tests.mixing import COUPLED, OWN, points_of
from tests.tolerances import assert_near

X, Y = randn(6, 4), randn(6, 2, seed=1)


def _square(f: Tensor, y: Tensor) -> Tensor:
    return (f - y).square().sum()


RULES: dict[str, Callable[[Any], Any]] = {
    "GradientFlow": lambda f0: ntkit.GradientFlow(RBF(1.0), X, Y, f0=f0),
    "GradientDescent": lambda f0: ntkit.GradientDescent(RBF(1.0), X, Y, f0=f0, lr=0.01),
    "HeavyBallFlow": lambda f0: ntkit.HeavyBallFlow(RBF(1.0), X, Y, f0=f0, damping=1.0),
    "LossFlow": lambda f0: ntkit.LossFlow(RBF(1.0), X, Y, f0=f0, loss=_square),
}


@pytest.mark.parametrize("rule", RULES)
def test_chance_and_company_are_refused_by_each_rule(rule: str) -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2)).double()
    mean = net.get_buffer("1.running_mean")
    with pytest.raises(ValueError, match=r"`f0` mixes the samples.*differ.*\.eval\(\)"):
        RULES[rule](COUPLED["centred"]().double())
    with pytest.raises(ValueError, match="`f0` draws random numbers"):
        RULES[rule](nn.Sequential(nn.Linear(4, 2), nn.Dropout(0.5)).double())
    with pytest.raises(ValueError, match="`f0` mixes the samples"):
        RULES[rule](net)
    assert not bool(mean.any())
    RULES[rule](net.eval())


@pytest.mark.parametrize("kind", COUPLED)
def test_every_coupling_is_refused(kind: str) -> None:
    net = COUPLED[kind]().double()
    if points_of(net).shape == X.shape:
        for f0 in (net, net.forward, lambda x: net(x)):
            with pytest.raises(ValueError, match="`f0` mixes the samples"):
                ntkit.GradientFlow(RBF(1.0), X, Y, f0=f0)


@pytest.mark.parametrize("kind", OWN)
def test_what_keeps_points_apart_is_taken(kind: str) -> None:
    net = OWN[kind]().double()
    if points_of(net).shape == X.shape:
        flow = ntkit.GradientFlow(RBF(1.0), X, Y, f0=net)
        assert_near(flow.predict(X, [0.0])[0], net(X).detach())


def test_functions_of_their_own_points_are_taken() -> None:
    """Tables of the start at points that are known, outputs without an axis, and constants."""
    table = randn(6, 2, seed=2)
    for f0 in (
        lambda x: table if x.shape == X.shape else fail(),
        lambda x: x.new_ones(len(x), 2),
        lambda x: table[: len(x)] * 0 + 1,
    ):
        assert ntkit.GradientFlow(RBF(1.0), X, Y, f0=f0).predict(X, [0.0]).shape == (1, 6, 2)
    line = ntkit.GradientFlow(RBF(1.0), X, Y[:, 0], f0=lambda x: x.sum(1).squeeze())
    assert_near(line.predict(X, [0.0])[0], X.sum(1))


def fail() -> Tensor:
    raise KeyError("other points")


def test_a_module_is_looked_at_once() -> None:
    runs: list[int] = []
    layer = nn.Linear(4, 2).double()

    def counted(x: Tensor) -> Tensor:
        runs.append(len(x))
        return layer(x)

    flow = ntkit.GradientFlow(RBF(1.0), X, Y, f0=counted)
    first = len(runs)
    assert first > 5
    flow.predict(X + 1, [0.0])
    assert len(runs) == first + 1
