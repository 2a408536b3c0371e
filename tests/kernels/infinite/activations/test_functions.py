"""Functions and methods of torch have the dual of the module that does the same."""

import operator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ntkit import networks, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations import AsModule, duals
from ntkit.kernels.infinite.meanings import meanings
from ntkit.networks import Linear
from tests.cases import randn

CALLS: list[tuple[Any, tuple[Any, ...], nn.Module]] = [
    (F.relu, (), nn.ReLU()),
    ("relu", (), nn.ReLU()),
    ("clamp", (0,), nn.ReLU()),
    (torch.clamp_min, (0.0,), nn.ReLU()),
    (F.leaky_relu, (0.2,), nn.LeakyReLU(0.2)),
    (F.elu, (0.5,), nn.ELU(0.5)),
    (F.gelu, (), nn.GELU()),
    (F.silu, (), nn.SiLU()),
    (torch.tanh, (), nn.Tanh()),
    ("tanh", (), nn.Tanh()),
    (torch.sigmoid, (), nn.Sigmoid()),
    (torch.erf, (), networks.Erf()),
    ("sin", (), networks.Sine()),
    (torch.cos, (), networks.Sine(phase=torch.pi / 2)),
    (torch.exp, (), networks.Exponential()),
    ("sign", (), networks.Sign()),
    ("abs", (), networks.Abs()),
    (operator.pow, (2,), networks.Polynomial([0, 0, 1])),
    (torch.square, (), networks.Polynomial([0, 0, 1])),
    (torch.pow, (3,), networks.Polynomial([0, 0, 0, 1])),
    ("clamp", (-1.0, 1.0), nn.Hardtanh()),
    (F.hardtanh, (-0.5, 0.5), nn.Hardtanh(-0.5, 0.5)),
    (F.softplus, (2.0,), nn.Softplus(2.0)),
    (F.threshold, (0.1, 0.0), nn.Threshold(0.1, 0.0)),
    (F.softshrink, (0.2,), nn.Softshrink(0.2)),
]


def module_of(target: Any) -> Any:
    """What builds the module that does the same as a function."""
    meaning = meanings.get(target)
    assert isinstance(meaning, AsModule)
    return meaning.build


@pytest.mark.parametrize(
    ("target", "options", "module"), CALLS, ids=lambda v: getattr(v, "__name__", str(v))[:30]
)
def test_builds_a_module_that_does_the_same(
    target: Any, options: tuple[Any, ...], module: nn.Module
) -> None:
    """The very values of the function, and the dual of the module of that name."""
    x = torch.linspace(-3, 3, 61, dtype=torch.float64)
    built = module_of(target)(*options)
    called = getattr(x, target)(*options) if isinstance(target, str) else target(x, *options)
    assert torch.allclose(built(x), called, rtol=1e-12, atol=1e-12)
    first, second = duals[built](built), duals[module](module)
    var = torch.tensor([0.3, 1.0], dtype=torch.float64)
    assert torch.allclose(first.variance(var), second.variance(var), rtol=1e-12, atol=0)


class Calls(nn.Module):
    """Functional forms in a forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = Linear(3, 8), Linear(8, 8), Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).clamp(min=0)
        return self.last(torch.sin(self.second(x)))


@pytest.mark.slow
def test_forward_with_functions_is_the_sequence_of_modules() -> None:
    net, x = Calls(), randn(5, 3)
    modules = (net.first, nn.ReLU(), net.second, networks.Sine(), net.last)
    assert torch.equal(ntk(net)(x), ntk(nn.Sequential(*modules))(x))


@pytest.mark.parametrize("exponent", [0.5, -1, torch.tensor(2.0)], ids=str)
@pytest.mark.usefixtures("unchecked")
def test_powers_that_have_no_variance_are_refused(exponent: Any) -> None:
    with pytest.raises(UnsupportedLayerError, match="whole exponent"):
        module_of(operator.pow)(exponent)


@pytest.mark.usefixtures("unchecked")
def test_clamp_between_tensors_is_refused() -> None:
    with pytest.raises(UnsupportedLayerError, match="between tensors"):
        module_of("clamp")(torch.zeros(1))


def test_slopes_for_each_channel_are_refused() -> None:
    with pytest.raises(UnsupportedLayerError, match="slope for each channel"):
        duals[nn.PReLU(3)](nn.PReLU(3))


def test_random_slopes_are_refused_in_training() -> None:
    with pytest.raises(UnsupportedLayerError, match="training mode"):
        duals[nn.RReLU()](nn.RReLU())


def test_a_subclass_asks_for_its_own() -> None:
    class Mine(nn.ReLU):
        pass

    with pytest.raises(UnsupportedLayerError):
        duals[Mine()]
