"""Matrices with gradients: of the points and of hyperparameters, through tiles, at hard points."""

import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.chunk_sizes import ChunkSize
from ntkit.kernels.infinite.back import gram_matrix
from ntkit.networks import Conv1d, Erf, Linear
from tests.cases import randn
from tests.tolerances import assert_near

# Some of the networks end in a nonlinearity, on purpose: their matrices are of hidden units.
pytestmark = pytest.mark.filterwarnings("ignore:.*comes after the last layer with weights")


def dense(act: nn.Module, *, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(Linear(3, 4, bias=bias), act, Linear(4, 4, bias=bias), act, Linear(4, 1))


def convolutional(*head: nn.Module) -> nn.Sequential:
    return nn.Sequential(Conv1d(2, 4, 2), nn.ReLU(), Conv1d(4, 4, 2), nn.ReLU(), *head)


NETWORKS = [
    pytest.param(dense(nn.ReLU()), (3,), id="relu"),
    pytest.param(dense(Erf()), (3,), id="erf"),
    pytest.param(dense(nn.GELU()), (3,), id="gelu"),
    pytest.param(dense(nn.Tanh()), (3,), id="tanh"),
    pytest.param(convolutional(nn.Flatten(), Linear(12, 1)), (2, 5), id="flat"),
    pytest.param(convolutional(nn.AdaptiveAvgPool1d(1)), (2, 5), id="pooled"),
]


@pytest.mark.parametrize("which", [ntk, nngp], ids=["ntk", "nngp"])
@pytest.mark.parametrize(("net", "shape"), NETWORKS)
def test_gradients_of_the_points(which, net: nn.Module, shape, monkeypatch) -> None:
    """Against differences, through several tiles."""
    kernel, x = which(net), randn(3, *shape).requires_grad_()
    few = 4 * kernel.plan(x.detach()).bytes_per_pair
    monkeypatch.setattr(gram_matrix, "TILE_TABLES", ChunkSize(few, few))
    assert torch.autograd.gradcheck(kernel, (x,), fast_mode=True)
    both = x, randn(2, *shape, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(kernel, both, fast_mode=True)
    assert_near(kernel(x).detach(), kernel(x.detach()))


def scaled(w: Tensor, b: Tensor) -> nn.Sequential:
    """A network whose scales ask for gradients."""
    net = dense(nn.ReLU())
    for layer in net:
        if isinstance(layer, Linear):
            layer.w_std, layer.b_std = w, b
    return net


def test_gradients_of_hyperparameters() -> None:
    x = randn(4, 3)
    scales = (
        torch.tensor(1.3, dtype=torch.float64, requires_grad=True),
        torch.tensor(0.2, dtype=torch.float64, requires_grad=True),
    )
    assert torch.autograd.gradcheck(lambda w, b: ntk(scaled(w, b))(x), scales)
    assert torch.autograd.gradcheck(lambda w, b: nngp(scaled(w, b)).diag(x), scales)


@pytest.mark.parametrize(("net", "shape"), NETWORKS)
def test_gradients_are_finite_where_the_angle_is_not_smooth(net: nn.Module, shape) -> None:
    """At one and the same, parallel, opposite and zero points."""
    x = randn(6, *shape)
    x[1], x[2], x[3], x[4] = x[0], 2 * x[0], -x[0], 0
    x.requires_grad_()
    for kernel in (ntk(net), nngp(net)):
        for value in (kernel(x), kernel(x, x.detach()), kernel.diag(x)):
            (gradient,) = torch.autograd.grad(value.sum(), x)
            assert bool(torch.isfinite(gradient).all())
