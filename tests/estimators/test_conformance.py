"""scikit-learn's own checks, whole."""

import pytest

from ntkit import estimators

checks = pytest.importorskip("sklearn.utils.estimator_checks")
ESTIMATORS = [
    estimators.NTKRegressor(),
    estimators.NTKClassifier(),
    estimators.FourierFeatures(n_frequencies=8),
]


# Skipped by scikit-learn itself where an estimator has no such method or tag.
@checks.parametrize_with_checks(ESTIMATORS)
def test_checks(estimator, check) -> None:
    check(estimator)
