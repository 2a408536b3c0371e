"""Weights of samples and classes, probabilities, and scikit-learn's ways of passing things on."""

from math import inf

import numpy as np
import pytest
import torch

from ntkit import Ensemble, GaussianProcess, estimators, nngp, ntk
from ntkit.kernels import RBF
from tests.cases import randn
from tests.estimators.kernels import features

sklearn = pytest.importorskip("sklearn")
metrics = pytest.importorskip("sklearn.metrics")
pipelines = pytest.importorskip("sklearn.pipeline")
preprocessing = pytest.importorskip("sklearn.preprocessing")
selection = pytest.importorskip("sklearn.model_selection")
approximation = pytest.importorskip("sklearn.kernel_approximation")

X, TEST = randn(12, 3).numpy(), randn(6, 3, seed=1).numpy()
Y = np.sin(X[:, 0])
COUNTS = np.array([0, 1, 2, 3, 1, 1, 0, 2, 1, 1, 4, 1])
NET = features(3).double()


@pytest.mark.parametrize("t", [2.0, inf])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("kernel", ["ntk", RBF(0.7)], ids=["ntk", "own"])
def test_weights_are_repeated_rows(t: float, ridge: float, kernel) -> None:
    model = estimators.NTKRegressor(NET, kernel=kernel, t=t, ridge=ridge)
    weighted = sklearn.clone(model).fit(X, Y, sample_weight=COUNTS)
    repeated = sklearn.clone(model).fit(X.repeat(COUNTS, 0), Y.repeat(COUNTS))
    np.testing.assert_allclose(weighted.predict(TEST), repeated.predict(TEST), rtol=1e-6, atol=1e-8)
    if kernel == "ntk" or t == inf:
        spreads = [m.predict(TEST, return_std=True)[1] for m in (weighted, repeated)]
        np.testing.assert_allclose(*spreads, rtol=1e-6, atol=1e-6)


def test_one_weight_for_all_is_another_ridge() -> None:
    model = estimators.NTKRegressor(NET, ridge=0.2).fit(X, Y, sample_weight=2.0)
    other = estimators.NTKRegressor(NET, ridge=0.1).fit(X, Y)
    np.testing.assert_allclose(model.predict(TEST), other.predict(TEST), rtol=1e-9)


def test_processes_and_ensembles_with_weights() -> None:
    """The posterior, its evidence up to what repeated values say of the noise, and the ensemble."""
    x, y, test = (torch.as_tensor(a) for a in (X, Y, TEST))
    counts = torch.as_tensor(COUNTS)
    often = x.repeat_interleave(counts, 0), y.repeat_interleave(counts)
    weights = counts.double()
    found = GaussianProcess(RBF(0.7), x, y, noise=0.2, sample_weights=weights)
    expected = GaussianProcess(RBF(0.7), *often, noise=0.2)
    torch.testing.assert_close(found.predict(test).mean, expected.predict(test).mean)
    torch.testing.assert_close(found.predict(test).covariance, expected.predict(test).covariance)
    said = weights[weights > 0]
    within = -0.5 * ((said - 1) * np.log(2 * np.pi * 0.2) + said.log()).sum()  # given the mean
    evidence = expected.log_marginal_likelihood() - found.log_marginal_likelihood()
    torch.testing.assert_close(evidence, within)
    options = {"ridge": 0.2, "noise": 0.1}
    times = [0.0, 1.0, inf]
    ours = Ensemble(nngp(NET), ntk(NET), x, y, sample_weights=weights, **options)
    theirs = Ensemble(nngp(NET), ntk(NET), *often, **options)
    torch.testing.assert_close(ours.predict(test, times).mean, theirs.predict(test, times).mean)
    torch.testing.assert_close(
        ours.predict(test, times).covariance, theirs.predict(test, times).covariance
    )


def labels() -> np.ndarray:
    return np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.4, 0.7])]


def test_class_weights_are_sample_weights() -> None:
    y = labels()
    model = estimators.NTKClassifier(NET, ridge=0.5)
    by_class = sklearn.clone(model).set_params(class_weight={"a": 3.0}).fit(X, y)
    by_sample = sklearn.clone(model).fit(X, y, sample_weight=np.where(y == "a", 3.0, 1.0))
    np.testing.assert_allclose(by_class.decision_function(X), by_sample.decision_function(X))
    balanced = sklearn.clone(model).set_params(class_weight="balanced")
    often = sklearn.clone(balanced).fit(X.repeat(COUNTS, 0), y.repeat(COUNTS))
    balanced.fit(X, y, sample_weight=COUNTS)
    np.testing.assert_allclose(
        balanced.decision_function(TEST), often.decision_function(TEST), rtol=1e-6, atol=1e-8
    )
    with pytest.raises(ValueError, match=r'`class_weight=.equal.` must be "balanced"'):
        sklearn.clone(model).set_params(class_weight="equal").fit(X, y)
    with pytest.raises(ValueError, match=r"`class_weight` names \['d'\]"):
        sklearn.clone(model).set_params(class_weight={"d": 1.0}).fit(X, y)


@pytest.mark.parametrize("two", [False, True])
def test_probabilities(two: bool) -> None:
    """They are the nearest of all probabilities, lead to the same class, and are even at the start."""
    y = labels() == "a" if two else labels()
    model = estimators.NTKClassifier(NET, ridge=1e-3).fit(X, y)
    found = model.predict_proba(TEST)
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found >= 0).all()
    assert (model.classes_[found.argmax(1)] == model.predict(TEST)).all()
    outputs = model.model_.predict(torch.as_tensor(TEST)).numpy() + 1 / found.shape[1]
    for other in np.random.default_rng(0).dirichlet(np.ones(found.shape[1]), size=200):
        far = ((outputs - other) ** 2).sum(1)
        assert (((outputs - found) ** 2).sum(1) <= far + 1e-12).all()
    start = estimators.NTKClassifier(NET, t=0.0).fit(X, y).predict_proba(TEST)
    np.testing.assert_allclose(start, 1 / found.shape[1])


def test_weights_that_are_none() -> None:
    model = estimators.NTKRegressor(NET)
    for weights, message in (
        (np.ones(3), r"`sample_weight` must be 12 numbers"),
        (-np.ones(12), r"`sample_weight` has a negative weight, -1"),
        (np.zeros(12), r"`sample_weight` is zero for all"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, Y, sample_weight=weights)
    with pytest.raises(ValueError, match=r"`sample_weights` must be 12 numbers"):
        process = torch.as_tensor(X), torch.as_tensor(Y)
        GaussianProcess(RBF(1.0), *process, sample_weights=torch.ones(3))


def test_metadata_go_where_they_are_asked_for() -> None:
    """A grid search passes weights through a pipeline to the estimator, and the folds' scores."""
    with sklearn.config_context(enable_metadata_routing=True):
        model = estimators.NTKRegressor(NET).set_fit_request(sample_weight=True)
        # a pipeline's own `score` asks for weights from scikit-learn 1.8 on
        scoring = metrics.get_scorer("r2").set_score_request(sample_weight=True)
        scaler = preprocessing.StandardScaler().set_fit_request(sample_weight=False)
        pipeline = pipelines.make_pipeline(scaler, model)
        grid = {"ntkregressor__ridge": [0.2]}
        search = selection.GridSearchCV(pipeline, grid, cv=2, scoring=scoring)
        search.fit(X, Y, sample_weight=COUNTS)
    scaled = preprocessing.StandardScaler().fit(X)
    direct = estimators.NTKRegressor(NET, ridge=0.2).fit(scaled.transform(X), Y, COUNTS)
    np.testing.assert_allclose(search.predict(TEST), direct.predict(scaled.transform(TEST)))


def test_gamma_by_the_scale_of_the_data() -> None:
    """That of `RBFSampler`; and data that do not vary have one."""
    found = estimators.FourierFeatures(4, gamma="scale", random_state=0).fit(X)
    theirs = approximation.RBFSampler(gamma="scale", random_state=0).fit(X)
    assert found.gamma_ == pytest.approx(theirs._gamma)
    assert estimators.FourierFeatures(4, gamma="scale").fit(
        np.ones((3, 2))
    ).gamma_ == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"`gamma='auto'` must be a number above 0"):
        estimators.FourierFeatures(gamma="auto").fit(X)


def test_names_of_features_and_tables() -> None:
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X, columns=["a", "b", "c"])
    features = estimators.FourierFeatures(2, random_state=0).set_output(transform="pandas")
    found = features.fit_transform(table)
    assert list(found.columns) == [f"fourierfeatures{k}" for k in range(4)]
    model = estimators.NTKRegressor(NET).fit(table, Y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(table[["b", "a", "c"]])
