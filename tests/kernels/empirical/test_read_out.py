"""Gradients at a network's end, known without a backward pass, and what keeps them from being used."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit.kernels.empirical.job
from ntkit.kernels import Structured, empirical_ntk
from ntkit.kernels.empirical.read_out import ReadOut, read_out
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near


class Net(nn.Module):
    """Layers 3-5-4-2, with a forward of one's own."""

    def __init__(self, forward: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.hidden, self.last = nn.Linear(3, 5), nn.Linear(5, 4), nn.Linear(4, 2)
        self.wide = nn.Parameter(torch.randn(2, 3))
        self._own = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._own(self, x)


def body(net: Any, x: Tensor) -> Tensor:
    return net.hidden(torch.tanh(net.first(x)))


def hooked(net: Any, x: Tensor) -> Tensor:
    a = torch.tanh(body(net, x))
    a.register_hook(lambda g: g * torch.tensor([1.0, 2.0, 3.0, 4.0]))
    return net.last(a)


def hooked_at_the_end(net: Any, x: Tensor) -> Tensor:
    y = net.last(torch.tanh(body(net, x)))
    y.register_hook(lambda g: 3 * g)
    return y


def past(net: Any, x: Tensor) -> Tensor:
    z = body(net, x)
    return net.last(torch.relu(z)) + z[:, :2]


def through_two_layers(net: Any, x: Tensor) -> Tensor:
    """The weight of the last layer is a product of parameters."""
    weight = net.wide.T @ net.wide @ torch.ones(3, 4).double()
    return torch.relu(body(net, x)) @ (weight.T @ net.wide.T)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[ReadOut | None]:
    """What the method found at the ends of the runs that it went by."""
    found: list[ReadOut | None] = []

    def noted(run: Any, n_links: int) -> ReadOut | None:
        found.append(read_out(run, n_links))
        return found[-1]

    monkeypatch.setattr(ntkit.kernels.empirical.job, "read_out", noted)
    return found


def compared(net: nn.Module, x: Tensor) -> None:
    for outputs, expected in (("full", oracle.full(net, x)), ("trace", oracle.trace(net, x))):
        kernel = empirical_ntk(net, outputs, method=Structured())
        assert_near(kernel(x), expected)
        assert_near(kernel(x[:2], x[1:]), expected[:2, 1:])
    assert_near(empirical_ntk(net).diag(x), oracle.trace(net, x).diagonal())
    assert_near(empirical_ntk(net, 1)(x), oracle.full(net, x)[..., 1, 1])


@pytest.mark.parametrize(
    "end",
    [
        lambda net, x: net.last(torch.relu(body(net, x))),
        lambda net, x: net.last(nn.functional.gelu(body(net, x))),
        lambda net, x: torch.sin(body(net, x)) @ net.last.weight.T,
        lambda net, x: torch.addmm(net.last.bias, body(net, x).exp(), net.last.weight.T, alpha=3),
        lambda net, x: net.last(nn.functional.relu_(body(net, x))),
    ],
    ids=["relu", "gelu", "without a bias", "scaled", "in place"],
)
def test_it_is_used_and_right(
    end: Callable[[Any, Tensor], Tensor], used: list[ReadOut | None]
) -> None:
    net, x = Net(end).double(), randn(5, 3)
    compared(net, x)
    assert used
    assert None not in used
    assert {len(end.links) for end in used if end is not None} == {2}


@pytest.mark.parametrize(
    "end",
    [
        lambda net, x: body(net, x)[:, :2] * 2,
        lambda net, x: net.last(torch.softmax(body(net, x), -1)),
        lambda net, x: net.last(torch.tanh(body(net, x))) ** 2,
        past,
        through_two_layers,
    ],
    ids=["no layer", "softmax", "a square behind", "a way past", "a weight made of parameters"],
)
def test_other_ends(end: Callable[[Any, Tensor], Tensor], used: list[ReadOut | None]) -> None:
    compared(Net(end).double(), randn(5, 3))
    assert not any(used)


@pytest.mark.parametrize("end", [hooked, hooked_at_the_end])
def test_gradient_hooks_of_the_user_are_not_passed_by(
    end: Callable[[Any, Tensor], Tensor], used: list[ReadOut | None]
) -> None:
    """Whatever they do to the kernel, both of its methods do alike."""
    net, x = Net(end).double(), randn(4, 3)
    hidden = ["hidden.weight"]
    found = empirical_ntk(net, "full", params=hidden, method=Structured())(x)
    assert_near(found, oracle.full(net, x, [net.hidden.weight]))
    if end is hooked_at_the_end:
        assert not used


@pytest.mark.parametrize(
    "selected", [["first.weight"], ["last.bias"], ["hidden.weight", "last.weight"]]
)
def test_some_of_the_parameters(selected: list[str]) -> None:
    net, x = Net(lambda net, x: net.last(torch.relu(body(net, x)))).double(), randn(5, 3)
    params = [net.get_parameter(name) for name in selected]
    for outputs, expected in (("full", oracle.full), ("trace", oracle.trace)):
        found = empirical_ntk(net, outputs, params=selected, method=Structured())(x)
        assert_near(found, expected(net, x, params))


@pytest.mark.parametrize(("memory", "most"), [(1, 1), (2_000, 1), (20_000, 10), (2**30, 50)])
def test_traces_of_many_outputs_are_added_up_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, memory: int, most: int
) -> None:
    """With the memory of no layer's sum, of one output's gradients, of some, of all."""
    sizes: list[int] = []
    one_by_one = ReadOut.gradients

    def noted(self: ReadOut, nodes: Any, outputs: Any, alone: Any) -> Any:
        if self.links[-1].node in nodes:
            sizes.append(len(outputs))
        return one_by_one(self, nodes, outputs, alone)

    monkeypatch.setattr(ReadOut, "gradients", noted)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 30), nn.ReLU(), nn.Linear(30, 50)
    )
    x = randn(6, 3)
    expected = oracle.trace(net.double(), x)
    assert_near(empirical_ntk(net, method=Structured(memory=memory))(x), expected)
    assert 0 < max(sizes) <= most
    assert_near(empirical_ntk(net)(x[:4], x), expected[:4])
