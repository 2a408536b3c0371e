"""Kernels in GPyTorch's exact Gaussian processes."""

import pickle
from contextlib import suppress

import pytest
import torch

from ntkit import GaussianProcess, estimators
from ntkit.kernels import RBF, Linear
from tests.cases import randn
from tests.estimators.kernels import network, scaled_rbf
from tests.tolerances import assert_near

gpytorch = pytest.importorskip("gpytorch")
GPyTorchKernel = estimators.GPyTorchKernel
X = randn(12, 2)
Y = X[:, 0].sin()


class Model(gpytorch.models.ExactGP):
    def __init__(self, kernel, likelihood) -> None:
        super().__init__(X, Y, likelihood)
        self.mean_module, self.covar_module = gpytorch.means.ZeroMean(), kernel

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.covar_module(x))


def model_of(kernel) -> Model:
    likelihood = gpytorch.likelihoods.GaussianLikelihood().double()
    likelihood.noise = torch.tensor(0.01, dtype=torch.float64)
    return Model(kernel, likelihood)


@pytest.mark.parametrize("build", [scaled_rbf, network])
def test_an_exact_gp_is_ours(build) -> None:
    """Posterior and marginal likelihood, with its gradients, as `ntkit.GaussianProcess` has them."""
    model = model_of(GPyTorchKernel(build, [1.3, 0.6]))
    ours = GaussianProcess(build(*torch.tensor([1.3, 0.6], dtype=torch.float64)), X, Y, noise=0.01)
    score = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)(model(X), Y)
    assert_near(score.detach() * 12, ours.log_marginal_likelihood(), loosen=1e4)
    score.backward()
    values = torch.tensor([1.3, 0.6], dtype=torch.float64, requires_grad=True)
    GaussianProcess(build(*values), X, Y, noise=0.01).log_marginal_likelihood().backward()
    raw = model.covar_module.raw_values
    slope = torch.sigmoid(raw.detach())  # of softplus
    assert_near(raw.grad * 12, values.grad * slope, loosen=1e4)
    model.eval()
    with torch.no_grad():
        found, expected = model(X[:5] + 0.1), ours.predict(X[:5] + 0.1)
    assert_near(found.mean, expected.mean, loosen=1e4)
    assert_near(found.variance, expected.deviation**2, loosen=1e5)


def test_training_raises_the_likelihood() -> None:
    model = model_of(GPyTorchKernel(network, [1.0, 0.5]))
    score = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)
    optimiser, scores = torch.optim.Adam(model.parameters(), 0.1), []
    for _ in range(20):
        optimiser.zero_grad()
        loss = -score(model(X), Y)
        loss.backward()
        optimiser.step()
        scores.append(loss.item())
    assert scores[-1] < scores[0] - 0.1


def test_state_pickle_and_diagonals() -> None:
    kernel, other = GPyTorchKernel(scaled_rbf, [1.3, 0.6]), GPyTorchKernel(scaled_rbf, [1.0, 1.0])
    other.load_state_dict(kernel.state_dict())
    for copy in (other, pickle.loads(pickle.dumps(kernel))):
        assert torch.equal(copy(X).to_dense(), kernel(X).to_dense())
    assert_near(kernel(X, X[:3]).to_dense().detach(), kernel(X).to_dense()[:, :3].detach())
    assert_near(
        kernel(X[:3], X[3:6], diag=True).detach(), kernel(X).to_dense()[:3, 3:6].diagonal().detach()
    )
    assert_near(kernel(X, diag=True).detach(), kernel(X).to_dense().diagonal().detach())
    assert_near(GPyTorchKernel(RBF(0.5))(X).to_dense(), RBF(0.5)(X))


def test_a_batch_of_kernels_is_each_of_them() -> None:
    """Axes of hyperparameters and of points, matched as GPyTorch's own kernels match them."""
    values = torch.tensor([[1.3, 0.6], [0.7, 0.2]], dtype=torch.float64)
    kernel = GPyTorchKernel(scaled_rbf, values, batch_shape=[2])
    found = kernel(X, X[:4]).to_dense()
    assert found.shape == (2, 12, 4)
    for k in range(2):
        alone = GPyTorchKernel(scaled_rbf, values[k])
        assert_near(found[k].detach(), alone(X, X[:4]).to_dense().detach())
        assert_near(kernel[k](X, X[:4]).to_dense().detach(), found[k].detach())
    assert kernel(X, diag=True).shape == (2, 12)
    points = X.reshape(3, 1, 4, 2)
    own = gpytorch.kernels.ScaleKernel(
        gpytorch.kernels.RBFKernel(batch_shape=torch.Size([2])), batch_shape=torch.Size([2])
    ).double()
    own.initialize(outputscale=values[:, 0])
    own.base_kernel.initialize(lengthscale=values[:, 1, None, None])
    assert kernel(points).shape == own(points).shape == (3, 2, 4, 4)
    assert_near(kernel(points).to_dense().detach(), own(points).to_dense().detach(), loosen=10)
    shared = GPyTorchKernel(RBF(0.5))(X.reshape(3, 4, 2)).to_dense()
    assert_near(shared[1], RBF(0.5)(X[4:8]))


def test_active_dims_are_the_features_seen() -> None:
    """And sums of kernels on features of their own are sums."""
    first, second = (GPyTorchKernel(scaled_rbf, [1.0, 0.5], active_dims=[k]) for k in (0, 1))
    expected = [scaled_rbf(*torch.tensor([1.0, 0.5]).double())(X[:, k : k + 1]) for k in (0, 1)]
    assert_near(first(X).to_dense().detach(), expected[0])
    assert_near((first + second)(X).to_dense().detach(), sum(expected))


def test_initialize_constraints_and_priors() -> None:
    """Values are those that were set, stay within their bounds, and count in the likelihood."""
    prior = gpytorch.priors.LogNormalPrior(0.0, 1.0)
    bounds = gpytorch.constraints.Interval(0.1, 2.0)
    kernel = GPyTorchKernel(scaled_rbf, [1.0, 0.5], values_constraint=bounds, values_prior=prior)
    kernel.initialize(values=torch.tensor([1.5, 0.3]))
    assert_near(kernel.values.detach(), torch.tensor([1.5, 0.3]).double(), loosen=1e9)
    kernel.raw_values.data += 50.0
    assert float(kernel.values.detach().max()) <= 2.0
    kernel.values = [1.0, 0.5]
    model = model_of(kernel)
    score = gpytorch.mlls.ExactMarginalLogLikelihood(model.likelihood, model)(model(X), Y)
    plain = model_of(GPyTorchKernel(scaled_rbf, [1.0, 0.5]))
    without = gpytorch.mlls.ExactMarginalLogLikelihood(plain.likelihood, plain)(plain(X), Y)
    expected = prior.log_prob(kernel.values).sum() / len(X)
    assert_near((score - without).detach(), expected.detach(), loosen=1e4)
    with torch.random.fork_rng(
        devices=[]
    ):  # GPyTorch draws from the global one, and refuses what is out of bounds
        torch.manual_seed(0)
        while True:
            with suppress(RuntimeError):
                kernel.sample_from_prior("values_prior")
                break
    assert float(kernel.values.detach().min()) > 0


def test_refusals() -> None:
    with (
        pytest.warns(DeprecationWarning, match="last_dim_is_batch"),
        pytest.raises(ValueError, match="`active_dims` of their own"),
    ):
        GPyTorchKernel(Linear())(X, X, last_dim_is_batch=True).to_dense()
