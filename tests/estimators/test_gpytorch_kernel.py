"""Kernels in GPyTorch's exact Gaussian processes."""

import pickle

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


def test_refusals() -> None:
    with pytest.raises(ValueError, match="without batch axes"):
        GPyTorchKernel(Linear())(X[None], X[None]).to_dense()
