"""Gradient-flow time of real steps of SGD."""

import pytest
import torch
from torch import nn

from ntkit import ntk, training_time
from tests.cases import randn
from tests.tolerances import assert_near


@pytest.mark.parametrize("reduction", ["mean", "sum", None])
def test_real_sgd_on_a_linear_model(reduction: str | None) -> None:
    """`steps` steps multiply the residual by `(1 - (t / steps) K)^steps`, exactly."""
    x, y = randn(9, 4), randn(9, 2, seed=1)
    model = nn.Linear(4, 2).double()
    kernel, residual = ntk(model)(x), model(x).detach() - y
    loss = None if reduction is None else nn.MSELoss(reduction=reduction)
    lr, steps = (0.1 if reduction == "mean" else 0.01), 20
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        out = model(x)
        (0.5 * (out - y).square().sum() if loss is None else loss(out, y)).backward()
        optimiser.step()
    t = training_time(lr, steps, loss, n_samples=9, n_outputs=2)
    one_step = torch.eye(9).double() - t / steps * kernel
    assert_near(
        model(x).detach() - y, torch.linalg.matrix_power(one_step, steps) @ residual, loosen=10
    )


def test_small_steps_become_the_flow() -> None:
    """At a fixed time the error of `exp(-tK)` falls as the learning rate."""
    x = randn(9, 4)
    kernel, r = ntk(nn.Linear(4, 1))(x), randn(9)
    flow = torch.linalg.matrix_exp(-0.5 * kernel) @ r
    errors = []
    for steps in (100, 200, 400):
        step = torch.eye(9).double() - training_time(0.5 / steps, steps) / steps * kernel
        errors.append(float((torch.linalg.matrix_power(step, steps) @ r - flow).norm()))
    assert 1.8 < errors[0] / errors[1] < 2.2
    assert 1.8 < errors[1] / errors[2] < 2.2


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: training_time(0.0, 5), ValueError, "`lr=0.0` must be a finite number above 0"),
        (lambda: training_time(0.1, -5), ValueError, "`steps=-5` must be 0 or more"),
        (lambda: training_time("1", 5), TypeError, "`lr='1'` must be a number, got str"),
        (lambda: training_time(0.1, 5, nn.L1Loss()), TypeError, "only `nn.MSELoss` has"),
        (lambda: training_time(0.1, 5, nn.MSELoss()), ValueError, "needs `n_samples=`"),
        (
            lambda: training_time(0.1, 5, nn.MSELoss(), n_samples=0),
            ValueError,
            "`n_samples=0` must be at least 1",
        ),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
