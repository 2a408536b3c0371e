"""SGD on minibatches, run many times over, against its expectation and its floor."""

import pytest
import torch

from ntkit import GradientDescent, empirical_ntk
from ntkit.dynamics import minibatch_noise
from ntkit.kernels import RBF, FeatureMap
from tests.cases import randn, seeded
from tests.dynamics.test_discrete import network


def features(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x**2], 1)


X, Y = randn(12, 2), randn(12, seed=1)


def chains(lr: float, b: int, steps: int, ridge=0.0, weights=None, count=2000):
    """Functions on the training points after each step, one row a run."""
    phi, w = features(X), torch.ones(12).double() if weights is None else weights
    theta, g = torch.zeros(count, 4).double(), seeded(2)
    for _ in range(steps):
        order = torch.rand(count, 12, generator=g).argsort(1)
        mask = (order < b).double() * 12 / b
        theta = theta - lr * ((mask * w * (theta @ phi.T - Y)) @ phi + ridge * theta)
        yield theta @ phi.T


def test_the_mean_over_batches_is_gradient_descent() -> None:
    *_, last = chains(0.005, 3, 15)
    mean, spread = last.mean(0), last.std(0) / len(last) ** 0.5
    expected = GradientDescent(FeatureMap(features), X, Y, lr=0.005).predict(X, [15])[0]
    assert bool(((mean - expected).abs() < 4.5 * spread).all())


@pytest.mark.parametrize(
    "options", [{}, {"ridge": 0.5}, {"weights": torch.linspace(0.2, 2, 12).double()}]
)
def test_the_floor(options) -> None:
    """At a small rate it is the loss of long runs; the error is of the order of the rate."""
    named = {("sample_weights" if k == "weights" else k): v for k, v in options.items()}
    weights = options.get("weights", torch.ones(12).double())
    gaps = []
    for lr in (4e-3, 1e-3):
        training = GradientDescent(FeatureMap(features), X, Y, lr=lr, **named)
        floor = minibatch_noise(training, 4)
        runs = list(chains(lr, 4, round(6 / lr), count=60, **options))
        late = torch.stack(runs[round(3 / lr) :: 5])
        loss = 0.5 * float((weights * (late - Y) ** 2).sum(2).mean())
        assert abs(floor.loss - floor.rest - floor.excess) < 1e-12
        gaps.append((loss - floor.rest) / floor.excess - 1)
    assert abs(gaps[1]) < 0.1
    assert abs(gaps[1]) < abs(gaps[0])


def test_no_floor_where_all_is_fitted_or_all_is_drawn() -> None:
    fitted = GradientDescent(RBF(0.5), X, Y, lr=0.01)
    assert minibatch_noise(fitted, 3).loss < 1e-12
    training = GradientDescent(FeatureMap(features), X, Y, lr=0.001)
    assert minibatch_noise(training, 12).excess == 0
    assert minibatch_noise(training, 1).excess > 10 * minibatch_noise(training, 6).excess


def test_errors() -> None:
    training = GradientDescent(RBF(0.5), X, Y, lr=0.01)
    with pytest.raises(ValueError, match=r"needs at most 12 samples a batch"):
        minibatch_noise(training, 13)
    coupled = GradientDescent(empirical_ntk(network(2), "full"), randn(4, 3), randn(4, 2), lr=0.001)
    with pytest.raises(ValueError, match="whose outputs do not couple"):
        minibatch_noise(coupled, 2)
