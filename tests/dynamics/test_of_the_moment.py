"""A flow is of the moment at which it was made: later training and changes in place do not reach it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import RBF, AbstractKernel, FeatureMap
from tests.cases import randn, seeded


def network() -> nn.Module:
    """Ordinary layers, with statistics that an evaluation reads."""
    torch_layers = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    with torch.no_grad():
        for p in torch_layers.parameters():
            p.copy_(0.5 * torch.randn(p.shape, generator=seeded(p.numel())))
    return torch_layers.double().eval()


def infinite(net: nn.Module) -> nn.Module:
    """Its layers that have an infinite limit."""
    return nn.Sequential(net[0], net[2], net[3]).requires_grad_(True)


KERNELS: dict[str, Callable[[nn.Module], AbstractKernel]] = {
    "empirical": ntkit.empirical_ntk,
    "infinite": lambda net: ntkit.ntk(ntkit.networks.mlp(ntkit.encodings.Gaussian(2, 8, 1.0, seeded()), 1, width=32, depth=1, generator=seeded())),
    "features": lambda net: FeatureMap(net),
    "sum": lambda net: ntkit.empirical_ntk(net) + RBF(0.5),
    "closed": lambda net: RBF(torch.tensor(0.5, dtype=torch.float64)),
}  # fmt: skip

FLOWS: dict[str, Callable[..., Any]] = {
    "flow": ntkit.GradientFlow,
    "descent": lambda *a, **k: ntkit.GradientDescent(*a, lr=0.01, **k),
    "momentum": lambda *a, **k: ntkit.Momentum(*a, lr=0.01, beta=0.5, **k),
    "nesterov": lambda *a, **k: ntkit.Nesterov(*a, lr=0.01, beta=0.5, **k),
    "heavy ball": lambda *a, **k: ntkit.HeavyBallFlow(*a, damping=1.0, **k),
    "loss": lambda *a, **k: ntkit.LossFlow(*a, loss=nn.MSELoss(reduction="sum"), **k),
}
MOMENTS = [0.0, 3.0]


def disturb(kernel: AbstractKernel, net: nn.Module, *tensors: Tensor) -> None:
    """Train the network, move its statistics and mode, and write into tensors behind torch's back."""
    with torch.no_grad():
        for part in (net, getattr(kernel, "_module", net)):
            for t in (*part.parameters(), *part.buffers()):
                if t.is_floating_point():
                    t.add_(0.3)
        for t in vars(kernel).values():
            if isinstance(t, Tensor):
                t.mul_(2)
    net.train()
    for t in tensors:
        t.numpy()[...] = 7.0


@pytest.mark.parametrize("rule", FLOWS)
@pytest.mark.parametrize("kind", KERNELS)
def test_predictions_stay(kind: str, rule: str) -> None:
    net = network()
    kernel = KERNELS[kind](net)
    x, y, test = randn(6, 2), randn(6, 1, seed=1), randn(4, 2, seed=2)
    kept = FLOWS[rule](kernel, x.clone(), y.clone(), f0=net)
    expected = kept.predict(test, MOMENTS)
    flow = FLOWS[rule](kernel, x, y, f0=net)
    disturb(kernel, net, x, y)
    assert torch.equal(flow.predict(test, MOMENTS), expected)
    assert torch.equal(flow.loss(MOMENTS), kept.loss(MOMENTS))


def test_weights_and_stopping_stay() -> None:
    net = network()
    x, y, test = randn(6, 2), randn(6, 1, seed=1), randn(4, 2, seed=2)
    kept = ntkit.GradientFlow(ntkit.empirical_ntk(net), x.clone(), y.clone(), f0=net)
    expected, best = kept.weights(2.0), kept.best_time(test, test[:, :1])
    flow = ntkit.GradientFlow(ntkit.empirical_ntk(net), x, y, f0=net)
    disturb(RBF(1.0), net, x, y)
    stopping = flow.best_time(test, test[:, :1])
    assert (stopping.time, stopping.error) == (best.time, best.error)
    found = flow.weights(2.0)
    assert all(torch.equal(found[k], v) for k, v in expected.items())


def test_an_ensemble_and_a_process_stay() -> None:
    net = ntkit.networks.mlp(ntkit.encodings.Gaussian(2, 8, 1.0, seeded()), 1, width=32, depth=1)
    x, y, test = randn(6, 2), randn(6, 1, seed=1), randn(4, 2, seed=2)
    kernels = ntkit.nngp(net), ntkit.ntk(net)
    expected = ntkit.Ensemble(*kernels, x.clone(), y.clone()).predict(test, [1.0])
    ensemble = ntkit.Ensemble(*kernels, x, y)
    posterior = ntkit.GaussianProcess(RBF(0.5), x.clone(), y.clone(), noise=0.1).predict(test)
    process = ntkit.GaussianProcess(RBF(0.5), x, y, noise=0.1)
    disturb(RBF(1.0), net, x, y)
    found = ensemble.predict(test, [1.0])
    assert torch.equal(found.mean, expected.mean)
    assert torch.equal(found.covariance, expected.covariance)
    assert torch.equal(process.predict(test).mean, posterior.mean)


@pytest.mark.parametrize("rule", FLOWS)
def test_answers_are_copies(rule: str) -> None:
    x, y, test = randn(6, 2), randn(6, 1, seed=1), randn(4, 2, seed=2)
    flow = FLOWS[rule](RBF(0.5), x, y)
    expected = flow.predict(test, MOMENTS)
    flow.expansion_weights(MOMENTS).zero_()
    if rule != "loss":
        flow.solution(MOMENTS).weights.zero_()
        flow.solution(MOMENTS).decay.zero_()
        flow.points.zero_()
        flow.targets.zero_()
        flow.expansion_weights(MOMENTS).zero_()
    assert torch.equal(flow.predict(test, MOMENTS), expected)


@pytest.mark.parametrize("change", ["numpy", "data", "in place"])
def test_changed_test_points_have_their_own_kernel(change: str) -> None:
    x, y, test = randn(6, 2), randn(6, 1, seed=1), randn(2, 2, seed=2)
    flow = ntkit.GradientFlow(RBF(0.5), x, y)
    flow.predict(test, MOMENTS)
    if change == "numpy":
        test.numpy()[...] += 1
    elif change == "data":
        test.data.add_(1)
    else:
        test += 1
    expected = ntkit.GradientFlow(RBF(0.5), x, y).predict(test.clone(), MOMENTS)
    assert torch.equal(flow.predict(test, MOMENTS), expected)


def test_gradients_still_reach_hyperparameters_points_and_features() -> None:
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    x, test = randn(6, 2).requires_grad_(), randn(3, 2, seed=2).requires_grad_()
    net = nn.Linear(2, 2).double()
    for kernel in (RBF(scale), FeatureMap(net)):
        flow = ntkit.GradientFlow(kernel, x, randn(6, 1, seed=1))
        out = flow.predict(test, [1.0]).square().sum()
        wanted = [x, test, scale] if isinstance(kernel, RBF) else [x, test, net.weight]
        for slope in torch.autograd.grad(out, wanted):
            assert bool(slope.abs().sum() > 0)


def test_a_tiled_matrix_is_of_the_moment() -> None:
    net, x = network(), randn(5, 2)
    op = ntkit.gram(ntkit.empirical_ntk(net), x, structure="tiled")
    lazy = ntkit.gram(ntkit.empirical_ntk(net), x, lazy=True)
    before = op.dense(), lazy.dense(), lazy.diagonal()
    disturb(RBF(1.0), net, x)
    after = op.dense(), lazy.dense(), lazy.diagonal()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


class Running(nn.Module):
    """Writes into a buffer and an attribute each time it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1).double()
        self.register_buffer("seen", torch.zeros((), dtype=torch.float64))
        self.last = None

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        self.last = x
        return self.layer(x)


def test_a_start_that_writes_is_left_as_found() -> None:
    net, x = Running(), randn(5, 2)
    flow = ntkit.GradientFlow(RBF(0.5), x, randn(5, 1, seed=1), f0=net)
    flow.predict(x[:2], [1.0])
    assert float(net.seen) == 0
    assert net.last is None
