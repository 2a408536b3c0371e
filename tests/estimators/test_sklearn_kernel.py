"""Kernels in scikit-learn's Gaussian processes: gradients, fits, clones."""

import pickle

import numpy as np
import pytest

from ntkit import estimators
from ntkit.kernels import Linear
from tests.cases import randn
from tests.estimators.kernels import mixture, network, scaled_rbf

sklearn = pytest.importorskip("sklearn")
theirs = pytest.importorskip("sklearn.gaussian_process")
SklearnKernel = estimators.SklearnKernel
X = randn(7, 2).numpy()


@pytest.mark.parametrize(
    ("build", "values"),
    [(scaled_rbf, (1.3, 0.7)), (mixture, (0.5, 0.8, 0.6)), (network, (1.2, 0.3))],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_gradients_against_differences(build, values) -> None:
    kernel = SklearnKernel(build, values)
    matrix, gradient = kernel(X, eval_gradient=True)
    np.testing.assert_allclose(matrix, kernel(X), rtol=1e-12)
    np.testing.assert_allclose(matrix.diagonal(), kernel.diag(X), rtol=1e-12)
    for i, step in enumerate(1e-5 * np.eye(len(values))):
        ahead, behind = (kernel.clone_with_theta(kernel.theta + s)(X) for s in (step, -step))
        np.testing.assert_allclose(gradient[..., i], (ahead - behind) / 2e-5, atol=1e-8)


def test_the_same_fit_as_scikit_learns_own() -> None:
    x = np.linspace(0, 1, 20)[:, None]
    y = np.sin(9 * x[:, 0])
    own = theirs.kernels.ConstantKernel(1.0) * theirs.kernels.RBF(0.3)
    pair = SklearnKernel(scaled_rbf, (1.0, 0.3)), own
    first, second = (theirs.GaussianProcessRegressor(k, alpha=1e-4).fit(x, y) for k in pair)
    np.testing.assert_allclose(first.kernel_.theta, second.kernel_.theta, rtol=1e-4)
    new = np.array([[0.33], [1.5]])
    for a, b in zip(first.predict(new, True), second.predict(new, True), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_with_their_kernels_and_bounds() -> None:
    y = np.sin(X[:, 0])
    noisy = SklearnKernel(network, [1.0, 0.5], (1e-2, 1e2)) + theirs.kernels.WhiteKernel(0.01)
    process = theirs.GaussianProcessRegressor(noisy, optimizer=None).fit(X, y)
    slope = process.log_marginal_likelihood(noisy.theta, eval_gradient=True)[1]
    for i, step in enumerate(1e-5 * np.eye(3)):
        ahead, behind = (process.log_marginal_likelihood(noisy.theta + s) for s in (step, -step))
        np.testing.assert_allclose(slope[i], (ahead - behind) / 2e-5, rtol=1e-5)
    fixed = SklearnKernel(network, [1.0, 0.5], "fixed")
    assert fixed(X, eval_gradient=True)[1].shape == (7, 7, 0)
    assert theirs.GaussianProcessRegressor(fixed, alpha=1e-3).fit(X, y).kernel_.values == [1.0, 0.5]


def test_clones_pickles_and_kernels_without_hyperparameters() -> None:
    kernel = SklearnKernel(scaled_rbf, (1.3, 0.7))
    for other in (sklearn.clone(kernel), pickle.loads(pickle.dumps(kernel))):
        np.testing.assert_array_equal(other(X), kernel(X))
    plain = SklearnKernel(Linear())
    assert len(plain.theta) == 0
    np.testing.assert_allclose(plain(X, X[:2]), X @ X[:2].T)
    assert "scaled_rbf, values=[1.3, 0.7]" in repr(kernel)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="is a kernel without hyperparameters, and 1 values"):
        SklearnKernel(Linear(), [1.0])(X)
    with pytest.raises(TypeError, match="`build` must return a kernel of ntkit, got float"):
        SklearnKernel(float, [1.0])(X)
    with pytest.raises(ValueError, match="`eval_gradient=True` is for `Y=None`"):
        SklearnKernel(scaled_rbf, (1.0, 1.0))(X, X, eval_gradient=True)
