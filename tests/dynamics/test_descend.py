"""Plain gradient descent, one step at a time."""

import pytest
import torch

from ntkit import GradientDescent
from ntkit.dynamics import descend
from ntkit.kernels import Linear
from ntkit.networks import LinearModel
from tests.cases import seeded


def test_a_linear_model_follows_its_kernel_step_by_step() -> None:
    x, y = (
        torch.randn(6, 3, generator=seeded()).double(),
        torch.randn(6, 2, generator=seeded()).double(),
    )
    model = LinearModel(torch.nn.Identity(), 3, 2).double()
    foretold = GradientDescent(Linear(), x, y, lr=0.02)
    for step, loss in descend(model, x, y, lr=0.02, steps=20):
        assert loss == pytest.approx(float(foretold.loss([step])), rel=1e-9)
        torch.testing.assert_close(model(x).detach(), foretold.predict(x, [step])[0])


def test_frozen_parameters_stay_and_no_gradient_is_left() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    net[0].requires_grad_(False)
    before = [p.clone() for p in net.parameters()]
    x = torch.rand(5, 1, generator=seeded())
    assert [step for step, _ in descend(net, x, x, lr=0.1, steps=3)] == [0, 1, 2, 3]
    same = [bool((a == b).all()) for a, b in zip(before, net.parameters(), strict=True)]
    assert same == [True, True, False, False]
    assert all(p.grad is None for p in net.parameters())


def test_targets_that_would_broadcast_are_refused() -> None:
    x = torch.rand(5, 1, generator=seeded())
    with pytest.raises(ValueError, match="Reshape it"):
        next(descend(torch.nn.Linear(1, 1), x, x[:, 0], lr=0.1, steps=1))
