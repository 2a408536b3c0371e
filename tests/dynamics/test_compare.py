"""A network in training beside its prediction: exact for a linear one, close for a wide one."""

import pytest
import torch
from torch import nn

from ntkit import (
    GradientDescent,
    GradientFlow,
    HeavyBallFlow,
    Momentum,
    Nesterov,
    compare,
    empirical_ntk,
)
from tests.cases import randn
from tests.dynamics.test_discrete import network

X, Y, OTHER = randn(6, 3), randn(6, 1), (randn(4, 3, seed=1), randn(4, 1, seed=2))


def linear() -> nn.Module:
    net = nn.Linear(3, 1).double()
    with torch.no_grad():
        net.weight.copy_(randn(1, 3))
    return net


@pytest.mark.parametrize("extra", [{}, {"ridge": 0.2}, {"sample_weights": randn(6).abs()}])
@pytest.mark.parametrize(
    "make",
    [
        lambda *a, **o: GradientDescent(*a, lr=0.05, **o),
        lambda *a, **o: Momentum(*a, lr=0.01, beta=0.8, **o),
        lambda *a, **o: Nesterov(*a, lr=0.01, beta=0.8, **o),
    ],
)
def test_a_linear_network_does_what_is_predicted(make, extra) -> None:
    net = linear()
    rule = make(empirical_ntk(net), X, Y, f0=net, **extra)
    result = compare(net, rule, steps=60, validation=OTHER)
    assert float(result.distance[1:].max()) < 1e-10
    torch.testing.assert_close(result.trained, result.predicted)
    torch.testing.assert_close(result.validation_trained, result.validation_predicted)
    assert int(result.steps[-1]) == 60
    loss = (rule.sample_weights[:, None] * (result.network(X) - Y) ** 2).sum() / 2
    assert abs(loss.item() - float(result.trained[-1])) < 1e-12
    assert torch.equal(net.weight, randn(1, 3)), "the network itself is left as it is"


def test_flows_take_the_steps_of_an_optimiser() -> None:
    net = linear()
    kernel = empirical_ntk(net)
    gaps = []
    for lr in (1e-2, 1e-3):
        flow = GradientFlow(kernel, X, Y, f0=net)
        steps = round(0.5 / lr)
        result = compare(net, flow, lambda p, lr=lr: torch.optim.SGD(p, lr=lr), steps=steps)
        gaps.append(float(result.distance[-1]))
    assert 8 < gaps[0] / gaps[1] < 12, "first order in the learning rate"
    with pytest.raises(ValueError, match=r"`compare\(optimiser=...\)`: a flow has no steps"):
        compare(net, GradientFlow(kernel, X, Y), steps=2)
    heavy = HeavyBallFlow(kernel, X, Y, f0=net, damping=1.0)
    lr = 1e-6
    result = compare(
        net, heavy, lambda p: torch.optim.SGD(p, lr=lr, momentum=1 - lr**0.5), steps=500
    )
    assert float(result.distance[-1]) < 0.01


def test_the_figure() -> None:
    pytest.importorskip("matplotlib")
    net = network()
    rule = GradientDescent(empirical_ntk(net), X, Y, lr=0.02, f0=net)
    result = compare(net, rule, steps=100, validation=OTHER)
    axes = result.figure().axes
    assert [axis.get_title() for axis in axes] == [
        "Training loss",
        "Validation error",
        "Network minus prediction",
    ]
    drawn = torch.as_tensor(axes[0].lines[0].get_ydata())
    torch.testing.assert_close(drawn.double(), result.trained)
    alone = compare(net, rule, steps=10)
    assert bool(alone.validation_trained.isnan().all())
    assert len(alone.figure().axes) == 2
