"""The linearised network in training: exactly what its own kernel says."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit import linearize
from ntkit.networks import Linear
from tests.cases import randn, seeded
from tests.tolerances import relative_error


def jacobian(net: nn.Module, x: Tensor) -> Tensor:
    """`[n o, p]`, one output at a time."""
    parameters = [p for p in net.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(v, parameters, retain_graph=True) for v in net(x).flatten()]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


@pytest.mark.slow
def test_gradient_descent_is_the_closed_form_of_the_linear_model() -> None:
    """`r_T = (1 - lr K)^T r_0` for `1/2 sum r^2`, and the same expansion at other points.

    `K = J J^T` is the network's own, by reverse mode; some modes are learned in 400 steps, and some
    are not.
    """
    g = seeded(0)
    layers = Linear(3, 16, generator=g), nn.Tanh(), Linear(16, 2, generator=g)
    net = nn.Sequential(*layers).double()
    x, y, others, steps = randn(8, 3), randn(8, 2, seed=1), randn(5, 3, seed=2), 400
    J, J_others = jacobian(net, x), jacobian(net, others)
    values, modes = torch.linalg.eigh(J @ J.T)
    lr = 1 / float(values[-1])
    r0 = (net(x) - y).detach().flatten()
    decay = (1 - lr * values) ** steps
    learned = (1 - decay) / values  # lr * the sum of the geometric series
    assert float(decay.min()) < 1e-15
    assert float(decay.max()) > 0.1

    linear = linearize(net)
    optimiser = torch.optim.SGD(linear.parameters(), lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        (0.5 * (linear(x) - y).square().sum()).backward()
        optimiser.step()
    residual = modes @ (decay * (modes.T @ r0))
    assert relative_error((linear(x) - y).detach().flatten(), residual) < 1e-9
    weights = modes @ (learned * (modes.T @ r0))
    expected = net(others).detach().flatten() - J_others @ (J.T @ weights)
    assert relative_error(linear(others).detach().flatten(), expected) < 1e-9
    moved = torch.cat([p.detach().flatten() for p in linear.parameters()])
    start = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert relative_error(moved - start, -J.T @ weights) < 1e-9


def test_the_network_itself_does_something_else() -> None:
    """At width 16 the linear model's prediction of the network is off by more than rounding."""
    net = nn.Sequential(Linear(3, 16, generator=seeded(0)), nn.Tanh(), Linear(16, 2)).double()
    linear, twin, x = linearize(net), deepcopy(net), randn(8, 3)
    for f in (linear, twin):
        optimiser = torch.optim.SGD(f.parameters(), lr=0.01)
        for _ in range(50):
            optimiser.zero_grad()
            (0.5 * (f(x) - 1).square().sum()).backward()
            optimiser.step()
    assert relative_error(linear(x).detach(), twin(x).detach()) > 1e-3
