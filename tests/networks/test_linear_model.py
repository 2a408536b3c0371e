"""The linear model: gradient descent in closed form, step by step."""

import pytest
import torch
from torch import Tensor, nn

from ntkit import GradientFlow, Grid, LinearModel, encodings, gram, ntk
from ntkit.kernels import FeatureMap, Stationary
from tests.cases import lift, randn, seeded
from tests.oracles import jacobian_kernel
from tests.rates import fitted_exponent
from tests.tolerances import assert_near


def train(model: nn.Module, x: Tensor, y: Tensor, lr: float, steps: int) -> None:
    """Plain gradient descent on `1/2 * sum (f - y)^2`."""
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(steps):
        optimiser.zero_grad()
        (0.5 * (model(x) - y) ** 2).sum().backward()
        optimiser.step()


def model_of(n_outputs: int, w_std: float) -> LinearModel:
    encoding = encodings.Gaussian(2, 12, 0.5, seeded())
    return LinearModel(encoding, n_outputs=n_outputs, w_std=w_std, generator=seeded(1)).double()


@pytest.mark.parametrize("w_std", [0.0, 1.0], ids=["zero start", "random start"])
@pytest.mark.parametrize("share", [0.05, 0.95], ids=["small steps", "steps near the limit"])
def test_residual_after_k_steps_is_a_power(w_std: float, share: float) -> None:
    """`(1 - lr K)^k r` to rounding, at any step size; elsewhere by the same weights."""
    x, y, z = randn(10, 2), randn(10, 3, seed=1), randn(7, 2, seed=2)
    model = model_of(3, w_std)
    kernel = FeatureMap(model.feature_map)
    matrix = kernel(x)
    start, elsewhere = model(x).detach(), model(z).detach()
    lr = share * 2 / float(torch.linalg.eigvalsh(matrix)[-1])
    residual, weights = y - start, torch.zeros_like(y)
    done = 0
    for k in (1, 2, 10, 200):
        train(model, x, y, lr, k - done)
        for _ in range(k - done):
            weights = weights + lr * residual
            residual = residual - lr * matrix @ residual
        done = k
        step = torch.eye(10).double() - lr * matrix
        power = torch.linalg.matrix_power(step, k) @ (y - start)
        assert_near(y - model(x).detach(), power, loosen=10)
        assert_near(residual, power, loosen=10)
        assert_near(model(z).detach(), elsewhere + kernel(z, x) @ weights, loosen=10)


def test_tangent_kernel_is_constant() -> None:
    x, y = randn(6, 2), randn(6, 1, seed=1)
    model = model_of(1, 1.0)
    expected = FeatureMap(model.feature_map)(x)
    assert_near(jacobian_kernel(model, x), expected)
    train(model, x, y, 0.05, 100)
    assert_near(jacobian_kernel(model, x), expected)
    assert_near(expected, Stationary(model.feature_map)(x))


def test_flow_predicts_small_steps() -> None:
    """At the same `t = lr * steps` with an error in proportion to `lr`, on points of both kinds."""
    x, y, z = randn(10, 2), randn(10, 2, seed=1), randn(7, 2, seed=2)
    start = model_of(2, 1.0)
    flow = GradientFlow(FeatureMap(start.feature_map), x, y, f0=start)
    expected = [flow.predict(p, [0.2])[0] for p in (x, z)]
    steps = [100, 200, 400]
    errors: list[list[float]] = [[], []]
    for k in steps:
        model = model_of(2, 1.0)
        train(model, x, y, 0.2 / k, k)
        for i, p in enumerate((x, z)):
            errors[i].append(float((model(p).detach() - expected[i]).norm()))
    for found in errors:
        assert fitted_exponent(steps, found) == pytest.approx(-1, abs=0.03)


@pytest.mark.parametrize(
    ("feature_map", "n"),
    [
        (encodings.Basic(2), 4),
        (lift, 3),
        (lambda x: torch.stack([x[:, 0], x[:, 0] * x[:, 1]], 1), 2),
        (nn.Sequential(encodings.NeRF(2, 3), nn.Tanh()), 12),
    ],
    ids=["encoding", "function", "columns", "module"],
)
def test_infinite_width_kernel_is_that_of_the_features(feature_map, n: int) -> None:
    model, x = LinearModel(feature_map, n), randn(5, 2)
    assert_near(ntk(model)(x), FeatureMap(feature_map)(x))
    assert_near(ntk(model).diag(x), FeatureMap(feature_map).diag(x))


def test_on_grids() -> None:
    operator = gram(ntk(LinearModel(encodings.Basic(2))), Grid((6, 5)))
    assert operator.kind == "circulant"
    expected = Stationary(encodings.Basic(2))(Grid((6, 5)).points())
    assert_near(operator.dense(), expected, loosen=10)


def test_random_start_has_the_spread_asked_for() -> None:
    model = LinearModel(lambda x: x, 1000, 10, w_std=0.5, generator=seeded())
    assert float(model.readout.weight.detach().std()) == pytest.approx(0.5, rel=0.03)
    again = LinearModel(lambda x: x, 1000, 10, w_std=0.5, generator=seeded())
    assert torch.equal(model.readout.weight, again.readout.weight)
    assert not LinearModel(lambda x: x, 2)(torch.ones(1, 2)).detach().any()


def test_refusals(unchecked) -> None:
    with pytest.raises(ValueError, match="`n_features` is needed"):
        LinearModel(lift)
    with pytest.raises(ValueError, match=r"`feature_map` trains `weight`.*requires_grad_\(False\)"):
        LinearModel(nn.Linear(2, 3), 3)
    with pytest.raises(TypeError, match="`feature_map` must be a function of a tensor, got int"):
        LinearModel(3, 3)
