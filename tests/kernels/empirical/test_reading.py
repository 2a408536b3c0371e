"""What is remembered of a module between calls, and when it is read anew."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ntkit.kernels import Structured, empirical_ntk
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near

RUNS: list[int] = []
"""One entry a forward pass of `Turned`: a kernel takes one, whose graph it works on, and to read a module takes more."""


def passes(ask: Callable[[], object]) -> int:
    """Forward passes that an answer takes."""
    before = len(RUNS)
    ask()
    return len(RUNS) - before


class Turned(nn.Module):
    """A square of tokens and features, turned or not, of which a token is read."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 2)
        self.turn, self.token, self.square = False, 0, False

    def forward(self, x: Tensor) -> Tensor:
        RUNS.append(len(x))
        x = torch.tanh(self.layer(x))
        x = x.mT if self.turn else x
        y = self.head(x[:, self.token])
        return y**2 if self.square else y


def test_a_module_is_read_once() -> None:
    net, x = Turned().double(), randn(3, 4, 4)
    assert passes(lambda: empirical_ntk(net)(x)) > 1
    for outputs in ("full", "trace"):
        kernel = empirical_ntk(net, outputs)
        assert passes(lambda kernel=kernel: kernel(x)) == 1
    assert_near(empirical_ntk(net)(x), oracle.trace(net, x))


def test_another_kind_of_points_or_of_parameters_is_read_again() -> None:
    net, x = Turned().double(), randn(3, 4, 4)
    for points in (x, randn(3, 6, 4), randn(3, 5, 4)):
        first, second = (passes(lambda points=points: empirical_ntk(net)(points)) for _ in range(2))
        assert first > second == 1
        assert_near(empirical_ntk(net)(points), oracle.trace(net, points))
    kernel = empirical_ntk(net, params=["head.weight"])
    assert passes(lambda: kernel(x)) > 1
    assert passes(lambda: kernel(x)) == 1
    assert_near(kernel(x), oracle.trace(net, x, [net.head.weight]))


def test_other_weights_need_no_new_reading() -> None:
    net, x = Turned().double(), randn(3, 4, 4)
    kernel = empirical_ntk(net)
    kernel(x)
    with torch.no_grad():
        net.layer.weight *= 2
    assert passes(lambda: kernel(x)) == 1
    assert_near(kernel(x), oracle.trace(net, x))


def test_a_module_that_goes_another_way_is_read_again() -> None:
    net, x = Turned().double(), randn(3, 4, 4)
    kernel = empirical_ntk(net, "full", method=Structured())
    kernel(x)
    for change in ({"square": True}, {"turn": True}):
        assert passes(lambda: kernel(x)) == 1
        vars(net).update(change)
        assert passes(lambda: kernel(x)) > 1
        assert_near(kernel(x), oracle.full(net, x))


def test_another_token_needs_no_new_reading() -> None:
    """The graph looks the same, and says where the gradients are."""
    net, x = Turned().double(), randn(3, 4, 4)
    kernel = empirical_ntk(net, "full", method=Structured())
    kernel(x)
    net.token = 2
    assert passes(lambda: kernel(x)) == 1
    assert_near(kernel(x), oracle.full(net, x))
    assert_near(empirical_ntk(net, method=Structured())(x), oracle.trace(net, x))


def test_a_mode_that_mixes_samples_is_refused_after_all() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).double().eval()
    kernel, x = empirical_ntk(net), randn(5, 3)
    assert_near(kernel(x), oracle.trace(net, x))
    net.train()
    with pytest.raises(ValueError, match="eval"):
        kernel(x)


def test_weights_that_are_no_numbers_any_more_are_refused() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    kernel, x = empirical_ntk(net), randn(5, 3)
    kernel(x)
    with torch.no_grad():
        net[0].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        kernel(x)


def test_a_layer_that_had_no_gradient_is_looked_at_again() -> None:
    """As behind a weight that starts at zero."""
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    kernel, x = empirical_ntk(net, method=Structured()), randn(5, 3)
    last = net[2]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        kept = last.weight.clone()
        last.weight.zero_()
    assert_near(kernel(x), oracle.trace(net, x))
    with torch.no_grad():
        last.weight.copy_(kept)
    assert_near(kernel(x), oracle.trace(net, x))
    assert "no axis" not in str(kernel.plan(x))
