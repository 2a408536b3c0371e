"""A network as a program: a value that is compared, hashed, printed, pickled, and says what the layers hold."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks, nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels import rules
from ntkit.kernels.infinite.back.interpreter import learn_alone, propagate
from ntkit.kernels.infinite.kernel import InfiniteKernel
from ntkit.kernels.infinite.program.op import Context, Side
from ntkit.kernels.infinite.program.ops.affine import Affine
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.program.program import Program, demands
from ntkit.kernels.infinite.program.units import Demand
from ntkit.networks import Conv2d, Linear, SelfAttention
from tests.cases import randn
from tests.tolerances import assert_near


class Sums(nn.Module):
    """A residual network whose forward does arithmetic of its own, with bare parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = Linear(3, 8), Linear(8, 8), nn.Linear(8, 1)
        self.shift = nn.Parameter(randn(8, seed=1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        h = h - 0.5 * self.second(h.clamp(-1, 2).tanh() * 2) + self.shift
        return self.last(torch.nn.functional.gelu(h) + 0.1)


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (
        lambda: nn.Sequential(Linear(3, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 1)),
        (3,),
    ),
    "sums": (Sums, (3,)),
    "functions": (
        lambda: nn.Sequential(
            Linear(3, 8), nn.Softplus(), Linear(8, 8), networks.Polynomial([0, 1, 2]), Linear(8, 1)
        ),
        (3,),
    ),
    "normalised": (
        lambda: nn.Sequential(nn.Linear(3, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 1)),
        (3,),
    ),
    "sines": (
        lambda: nn.Sequential(nn.Linear(3, 8), networks.Sine(3.0), nn.Linear(8, 1)),
        (3,),
    ),
    "pooled": (
        lambda: nn.Sequential(
            *(Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(8, 1)),
        ),
        (2, 4, 4),
    ),
    "attention": (
        lambda: nn.Sequential(
            *(Linear(3, 8), SelfAttention(8, 8, 2, 4, 4), nn.Flatten(), nn.Linear(40, 1)),
        ),
        (5, 3),
    ),
}


def made(name: str) -> tuple[nn.Module, Tensor]:
    """A network in double precision, and points for it."""
    make, shape = NETS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().double(), randn(6, *shape)


def program(kernel: InfiniteKernel, x: Tensor) -> Program:
    return kernel.plan(x).program


@pytest.mark.filterwarnings("ignore:.*is fed by", "ignore:.*units of")
@pytest.mark.parametrize("name", NETS)
def test_a_program_is_a_value(name: str) -> None:
    """Equal to another of the same network, and to itself unpickled."""
    net, x = made(name)
    one, other = program(ntk(net), x), program(ntk(net), x)
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)
    assert len(str(one).splitlines()) == len(one.ops)
    twin = pickle.loads(pickle.dumps(one))
    assert str(twin).count("\n") == str(one).count("\n")
    assert twin == one
    assert hash(twin) == hash(one)


@pytest.mark.filterwarnings("ignore:.*is fed by", "ignore:.*units of")
@pytest.mark.parametrize("name", NETS)
def test_the_program_alone_gives_the_kernel(name: str) -> None:
    """Unpickled and interpreted, operation by operation, without the module."""
    net, x = made(name)
    expected = ntk(net)(x)
    twin = pickle.loads(pickle.dumps(program(ntk(net), x)))
    z = x if x.ndim < 4 else x.movedim(1, -1)
    features = [op.features for op in twin.ops if hasattr(op, "features")]
    points = Side(dict.fromkeys(features, z))
    wanted = demands(twin.ops, twin.outputs, Demand())
    learn_alone(twin, wanted, points)
    same = torch.eye(len(x), dtype=torch.bool)
    (state,) = propagate(twin, wanted, Context(points, points, with_ntk=True, same=same))
    assert state.ntk is not None
    assert_near(state.ntk, expected)


def test_operations_are_typed_and_print_their_numbers() -> None:
    net = nn.Sequential(Linear(3, 8, w_std=2.0, b_std=0.5), nn.ReLU(), Linear(8, 1, bias=False))
    found = program(ntk(net), randn(4, 3))
    assert [type(op) for op in found.ops] == [TakePoints, Affine, Bend, Affine]
    assert "Affine [0] weights=Weights(w=4.0, b=0.25, own_weight=4.0, own_bias=0.25)" in str(found)


@pytest.mark.filterwarnings("ignore:.*is fed by", "ignore:.*mean square of")
def test_it_follows_what_the_layers_hold() -> None:
    """Weights, bare parameters, scales, and whether they are trained: all read again at each call."""
    net, x = made("sums")
    kernel = ntk(net)
    seen = [program(kernel, x)]
    for change in (
        lambda: net.last.weight.data.mul_(2),
        lambda: net.shift.data.mul_(3),
        lambda: setattr(net.first, "w_std", 0.3),
        lambda: net.second.requires_grad_(False),
        lambda: net.shift.requires_grad_(False),
    ):
        change()
        seen.append(program(kernel, x))
        assert seen[-1] == program(ntk(net), x)
        assert torch.equal(kernel(x), ntk(net)(x))
    assert len(set(seen)) == len(seen)


@pytest.mark.filterwarnings("ignore:.*comes after the last layer")
def test_a_bias_that_is_switched_on_is_followed() -> None:
    """Without one the kernel is homogeneous, and of many points read off one function of the angle."""
    rest = [m for _ in range(3) for m in (Linear(8, 8, bias=False), nn.ReLU())]
    net = nn.Sequential(Linear(3, 8, b_std=0.0), nn.ReLU(), *rest)
    kernel, x = ntk(net), randn(150, 3)
    assert kernel.plan(x).route == "one function of the angle"
    kernel(x)
    net[0].b_std = 0.7
    assert kernel.plan(x).route == "layer by layer"
    assert torch.equal(kernel(x), ntk(net)(x))


class Halved(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


@rules.register(Halved, effect="scaling")
def halved(layer: Halved, state, variances):
    return state.scaled(layer.factor**2)


def test_a_rule_that_reads_the_layer_is_followed() -> None:
    """No number of the program tells: also where many points are read off one function."""
    net = nn.Sequential(*(Linear(3, 8, bias=False), nn.ReLU(), Halved(), Linear(8, 1, bias=False)))
    x = randn(150, 3)
    x = x / x.norm(dim=1, keepdim=True)
    kernel = ntk(net)
    before = kernel(x)
    net[2].factor = 0.25
    assert_near(kernel(x), before / 4)


class Own(nn.Linear):
    """A dense layer whose rule is a function alone: it does not tell what weights and biases add."""


@rules.register(Own)
def own(layer: Own, state, variances):
    numbers = rules[nn.Linear(1, 1)].numbers
    assert numbers is not None
    return numbers(layer, variances).of(state)


def test_frozen_parameters_of_a_layer_with_a_rule_of_its_own_add_nothing() -> None:
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), Own(8, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    x, plain = randn(4, 3), nn.Sequential(*net)
    plain[2] = nn.Linear(8, 8).double()
    plain[2].load_state_dict(net[2].state_dict())
    assert_near(ntk(net)(x), ntk(plain)(x))
    for each in (net, plain):
        each[2].requires_grad_(False)
    assert_near(ntk(net)(x), ntk(plain)(x), loosen=10)
    net[2].bias.requires_grad_(True)
    with pytest.raises(UnsupportedLayerError, match="Freeze all or none of them, or file the rule"):
        ntk(net)(x)


SCRIPT = """
import pickle, sys, torch
kernels, x = pickle.loads(open(sys.argv[1], "rb").read())
open(sys.argv[2], "wb").write(pickle.dumps([kernel(x) for kernel in kernels]))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*is fed by")
def test_other_processes_take_kernels_before_and_after_a_call(tmp_path: Path) -> None:
    net, x = made("sums")
    kernels = [ntk(net), nngp(net), ntk(net), nngp(net)]
    expected = [kernel(x) for kernel in kernels[2:]]
    given, found = tmp_path / "given", tmp_path / "found"
    given.write_bytes(pickle.dumps((kernels, x)))
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, given, found],
        check=True,
        env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    for one, other in zip(pickle.loads(found.read_bytes()), 2 * expected, strict=True):
        assert torch.equal(one, other)
