"""Every operation of a program is a value: equal where networks are equal, changed by any of its numbers."""

import copy
import pickle
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks, nngp, ntk
from ntkit.kernels import rules
from ntkit.kernels.infinite.program.op import AbstractOp
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.ops.attend import AttendExactly
from ntkit.kernels.infinite.program.program import Program
from tests.cases import randn, seeded
from tests.kernels.infinite import third_party
from tests.kernels.infinite.test_heads import D, T, layers, mini
from tests.kernels.infinite.test_known_means import net_of
from tests.layer_networks import COMPOSED, LAYERS, Example
from tests.ordinary_networks import ORDINARY, written

pytestmark = pytest.mark.filterwarnings("ignore")


class Gain(nn.Module):
    """A layer whose rule reads what it holds while it is applied: a tensor, a number, and a buffer."""

    offset: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.Parameter(randn(8, seed=3))
        self.factor = 0.5
        self.register_buffer("offset", torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * (self.gains + self.offset) * x


@rules.register(Gain, effect="scaling")
def gain(layer: Gain, state: Any, variances: Any) -> Any:
    return state.scaled(float((layer.factor * (layer.gains + layer.offset)).square().mean()))


def clipped(h: Tensor) -> Tensor:
    return h.clamp(-1, 2)


def block(layer: nn.Module, h: Tensor) -> Tensor:
    return torch.relu(h + layer(h))


def gained() -> nn.Sequential:
    return nn.Sequential(networks.Linear(3, 8), Gain(), nn.Tanh(), networks.Linear(8, 1)).double()


Made = tuple[nn.Module, Any]
Make = Callable[[], Made]


def example(found: Example) -> Make:
    return lambda: (found.network(8), found.points(3, seeded()))


def ordinary(name: str) -> Make:
    return lambda: (ORDINARY[name].network(8), randn(3, *ORDINARY[name].shape))


def of_table(forward: Callable[[Any, Tensor], Tensor], *, trained: bool = False) -> Make:
    return lambda: (net_of(forward, trained=trained), randn(3, 4, 3))


NETS: dict[str, Make] = {
    **{
        name: ordinary(name)
        for name in (
            *("vit", "a gate", "a sum after two nonlinearities", "detached"),
            "layer norm of the inputs",
        )
    },
    **{
        name: example(COMPOSED[name])
        for name in (
            *("dropout", "concatenation", "embedding of positions", "scores of one weight"),
            *("residual sum", "batch norm with means after a nonlinearity"),
        )
    },
    **{
        kind.__name__: example(LAYERS[kind])
        for kind in (
            *(nn.Flatten, nn.Unflatten, networks.Aggregate, nn.MultiheadAttention, nn.LayerNorm),
            nn.BatchNorm1d,
        )
    },
    "convolution": lambda: (
        nn.Sequential(
            *(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), networks.Linear(72, 1)),
        ).double(),
        randn(3, 2, 5, 5),
    ),
    "uniform sine": lambda: (
        nn.Sequential(nn.Linear(3, 64), networks.Sine(3.0), nn.Linear(64, 1)).double(),
        randn(3, 3),
    ),
    "custom": lambda: (gained(), randn(3, 3)),
    "function": lambda: (
        nn.Sequential(
            networks.Linear(3, 8), networks.Elementwise(clipped, (-1.0, 2.0)), networks.Linear(8, 1)
        ).double(),
        randn(3, 3),
    ),
    "known means": of_table(lambda s, x: s.o(torch.relu(s.a(x) + s.t))),
    "two known means": of_table(lambda s, x: s.b(torch.relu(s.a(x))) + s.t + x[..., :1]),
    "trained table": of_table(lambda s, x: s.o(torch.relu(s.a(x) + s.p)), trained=True),
    "post-activation block": of_table(lambda s, x: s.o(block(s.b, torch.relu(s.a(x))))),
    "weighed": of_table(lambda s, x: s.o(torch.relu(s.a(x) * x[..., :1]))),
    "sigmoid of units and points": of_table(
        lambda s, x: torch.sigmoid(s.b(torch.relu(s.a(x)))[..., :1] + x[..., :1])
    ),
    "sigmoid": of_table(lambda s, x: torch.sigmoid(s.a(x)) + torch.sigmoid(s.c(x))),
    "attention by a rule": lambda: (third_party.focused(8, seeded()).double(), randn(3, 3, 2)),
    "norm by a rule": lambda: (third_party.normed(8, seeded()).double(), randn(3, 2, 4)),
    "attention by hand": lambda: (
        written(layers(), lambda s, x: s.o(mini(s, s.a(x)))).double().eval(),
        randn(3, T, D),
    ),
}


@cache
def made(name: str) -> Made:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return NETS[name]()


@cache
def lowered(name: str) -> tuple[Program, ...]:
    return programs(*made(name))


def programs(net: nn.Module, x: Any) -> tuple[Program, ...]:
    """Of both kernels."""
    return tuple(make(net).plan(x).program for make in (ntk, nngp))


def operations(kind: type = AbstractOp) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from operations(each)


def test_every_operation_is_in_one_of_these_programs() -> None:
    found = {type(op) for name in NETS for program in lowered(name) for op in program.ops}
    assert {kind for kind in operations() if kind.__module__.startswith("ntkit.")} - found == set()


@pytest.mark.parametrize("name", NETS)
def test_equal_networks_have_equal_programs(name: str) -> None:
    """Lowered again, from a copy of the network, and out of a file."""
    net, x = made(name)
    for other in (programs(copy.deepcopy(net), x), pickle.loads(pickle.dumps(lowered(name)))):
        for one, two in zip(lowered(name), other, strict=True):
            for left, right in zip(one.ops, two.ops, strict=True):
                assert left == right
                assert hash(left) == hash(right)
            assert one == two
            assert hash(one) == hash(two)


@pytest.mark.parametrize("name", NETS)
def test_no_number_of_an_operation_is_left_out_of_the_comparison(name: str) -> None:
    for op in lowered(name)[0].ops:
        for field in fields(op):
            other = copy.copy(op)
            object.__setattr__(other, field.name, object())  # of no field's type
            assert (other == op) == (field.name == "name")


def of(kind: type, net: nn.Module, x: Any) -> Any:
    (found,) = [op for op in ntk(net).plan(x).program.ops if type(op) is kind]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.gains.data[3].add_(1e-9),
        lambda layer: layer.offset.mul_(2),
        lambda layer: setattr(layer, "factor", 0.25),
    ],
    ids=["parameter", "buffer", "setting"],
)
def test_what_a_layer_with_a_rule_of_its_own_holds_is_seen(change) -> None:
    net, x = gained(), randn(3, 3)
    before = of(Custom, net, x)
    kernel = ntk(net)
    kernel(x)
    assert of(Custom, net, x) == before
    change(net[1])
    after = of(Custom, net, x)
    assert after != before
    assert before == before
    assert after == of(Custom, copy.deepcopy(net), x)
    assert torch.equal(kernel(x), ntk(net)(x))


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: layer.value.data[0, 0, 0].add_(1e-6),
        lambda layer: setattr(layer, "query_std", 0.7),
        lambda layer: setattr(layer, "scores", "relu"),
    ],
    ids=["weight", "number", "word"],
)
def test_what_attention_holds_is_seen(change) -> None:
    net = nn.Sequential(networks.Linear(3, 8), networks.SelfAttention(8, 8, 2, 4, 4)).double()
    x, kernel = randn(3, 5, 3), ntk(net)
    before = of(AttendExactly, net, x)
    kernel(x)
    change(net[1])
    after = of(AttendExactly, net, x)
    assert after != before
    assert after == of(AttendExactly, copy.deepcopy(net), x)
    assert torch.equal(kernel(x), ntk(net)(x))
