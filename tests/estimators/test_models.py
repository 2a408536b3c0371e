"""The estimators against the objects that they stand on, and as scikit-learn uses them."""

import pickle
from math import inf, pi

import numpy as np
import pytest
import torch

from ntkit import Ensemble, GaussianProcess, GradientFlow, empirical_ntk, estimators, nngp, ntk
from ntkit.kernels import RBF
from tests.cases import randn
from tests.estimators.kernels import features

sklearn = pytest.importorskip("sklearn")
selection = pytest.importorskip("sklearn.model_selection")
pipelines = pytest.importorskip("sklearn.pipeline")
preprocessing = pytest.importorskip("sklearn.preprocessing")
rbf_kernel = pytest.importorskip("sklearn.metrics.pairwise").rbf_kernel

X, TEST = randn(25, 3), randn(6, 3, seed=1)
Y = torch.stack([X[:, 0].sin(), X[:, 1] * X[:, 2]], 1)
NET = features(3).double()


@pytest.mark.parametrize("t", [0.0, 3.0, inf])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
@pytest.mark.parametrize(
    ("choice", "kernel"),
    [
        ("ntk", ntk(NET)),
        ("nngp", nngp(NET)),
        ("empirical", empirical_ntk(NET)),
        (RBF(0.7), RBF(0.7)),
    ],
    ids=["ntk", "nngp", "empirical", "own"],
)
def test_predictions_are_those_of_gradient_flow(t, ridge, choice, kernel) -> None:
    model = estimators.NTKRegressor(NET, kernel=choice, t=t, ridge=ridge).fit(X.numpy(), Y.numpy())
    expected = GradientFlow(kernel, X, Y, ridge=ridge).predict(TEST, [t])[0]
    np.testing.assert_allclose(model.predict(TEST.numpy()), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("t", [3.0, inf])
def test_the_spread_of_an_ensemble(t: float) -> None:
    model = estimators.NTKRegressor(NET, t=t, ridge=0.2).fit(X.numpy(), Y.numpy())
    expected = Ensemble(nngp(NET), ntk(NET), X, Y, ridge=0.2).predict(TEST, [t])
    mean, std = model.predict(TEST.numpy(), return_std=True)
    np.testing.assert_allclose(mean, expected.mean[0], rtol=1e-9)
    np.testing.assert_allclose(std, expected.deviation[0], rtol=1e-7)
    np.testing.assert_allclose(mean, model.predict(TEST.numpy()), rtol=1e-6)


def test_the_spread_of_a_posterior() -> None:
    model = estimators.NTKRegressor(NET, kernel="nngp", ridge=0.2).fit(X.numpy(), Y[:, 0].numpy())
    expected = GaussianProcess(nngp(NET), X, Y[:, 0], noise=0.2).predict(TEST)
    mean, std = model.predict(TEST.numpy(), return_std=True)
    np.testing.assert_allclose(mean, expected.mean, rtol=1e-9)
    np.testing.assert_allclose(std, expected.deviation, rtol=1e-9)
    early = estimators.NTKRegressor(NET, kernel="nngp", t=1.0).fit(X.numpy(), Y.numpy())
    with pytest.raises(ValueError, match=r"`t=1`: a spread at a finite time .* `t=inf`"):
        early.predict(TEST.numpy(), return_std=True)


@pytest.mark.parametrize("module", [None, features, NET], ids=["default", "factory", "module"])
def test_clones_and_pickles_predict_the_same(module) -> None:
    model = estimators.NTKRegressor(module).fit(X.numpy(), Y.numpy())
    expected = model.predict(TEST.numpy())
    for other in (
        sklearn.clone(model).fit(X.numpy(), Y.numpy()),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_allclose(other.predict(TEST.numpy()), expected, rtol=1e-12)
        assert other.predict(TEST.numpy(), return_std=True)[1].shape == expected.shape


def test_the_module_is_left_alone() -> None:
    net = features(3).train()
    estimators.NTKRegressor(net).fit(X.numpy(), Y.numpy())
    assert net.training
    assert next(net.parameters()).dtype == torch.float32


def test_classes_are_those_of_the_largest_output() -> None:
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.4, 0.4])]
    model = estimators.NTKClassifier(NET, ridge=0.1).fit(X.numpy(), labels)
    codes = torch.as_tensor((labels[:, None] == model.classes_).astype(float)) - 1 / 3
    outputs = GradientFlow(ntk(NET), X, codes, ridge=0.1).predict(TEST, [inf])[0]
    np.testing.assert_allclose(model.decision_function(TEST.numpy()), outputs, rtol=1e-7)
    assert (model.predict(TEST.numpy()) == model.classes_[outputs.argmax(1)]).all()
    two = estimators.NTKClassifier(NET, ridge=0.1).fit(X.numpy(), labels == "a")
    assert ((two.decision_function(TEST.numpy()) > 0) == two.predict(TEST.numpy())).all()


def test_in_a_pipeline_and_a_grid_search() -> None:
    """Depth by a factory, time and ridge by their values."""
    pipeline = pipelines.make_pipeline(preprocessing.StandardScaler(), estimators.NTKRegressor())
    grid = {"ntkregressor__t": [0.0, inf], "ntkregressor__module": [None, features]}
    search = selection.GridSearchCV(pipeline, grid, cv=2).fit(X.numpy(), Y[:, 0].numpy())
    assert search.best_params_["ntkregressor__t"] == inf
    assert search.best_score_ > 0.5


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"`kernel='rbf'` must be"):
        estimators.NTKRegressor(kernel="rbf").fit(X.numpy(), Y.numpy())
    with pytest.raises(TypeError, match=r"`module=3` must be a `torch\.nn\.Module`"):
        estimators.NTKRegressor(3).fit(X.numpy(), Y.numpy())
    with pytest.raises(ValueError, match="give one of them"):
        estimators.FourierFeatures(bandwidth=1.0, gamma=1.0).fit(X.numpy())


def test_fourier_features_are_an_rbf_kernel() -> None:
    """`gamma = 2 pi^2 bandwidth^2`, at the rate `m^-1/2`."""
    x, errors = X.numpy(), []
    for m in (1000, 16000):
        draws = [
            estimators.FourierFeatures(m, gamma=0.3, random_state=seed).fit(x) for seed in range(4)
        ]
        assert draws[0].gamma_ == pytest.approx(0.3)
        phi = [draw.transform(x) for draw in draws]
        errors.append(
            np.mean([np.sqrt(((p @ p.T - rbf_kernel(x, gamma=0.3)) ** 2).mean()) for p in phi])
        )
    assert 3 < errors[0] / errors[1] < 5.3
    by_bandwidth = estimators.FourierFeatures(8, bandwidth=0.2, random_state=1).fit(x)
    assert by_bandwidth.gamma_ == pytest.approx(2 * pi**2 * 0.04)
    same = estimators.FourierFeatures(8, gamma=by_bandwidth.gamma_, random_state=1).fit(x)
    np.testing.assert_allclose(same.transform(x), by_bandwidth.transform(x), atol=1e-5)


def test_a_search_over_numbers_of_numpy(unchecked) -> None:
    """Steps of `np.arange` and `np.logspace` in every parameter that is a number."""
    X, y = np.linspace(-1, 1, 12)[:, None], np.sin(3 * np.linspace(-1, 1, 12))
    pipe = pipelines.make_pipeline(
        estimators.FourierFeatures(random_state=0),
        estimators.NTKRegressor(kernel=RBF(0.5), progress=False, tolerance=np.float32(1e-6)),
    )
    grid = {
        "fourierfeatures__n_frequencies": np.arange(4, 6),
        "fourierfeatures__bandwidth": np.arange(1, 3),
        "ntkregressor__ridge": np.logspace(-2, 0, 2),
        "ntkregressor__t": np.arange(1, 3),
    }
    search = selection.GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(X, y)
    assert search.predict(X).shape == (12,)
