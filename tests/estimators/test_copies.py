"""An estimator with a kernel of its own is cloned and pickled, as cross-validation does."""

import pickle

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from sklearn.base import clone

import ntkit
from ntkit.estimators.regressor import NTKRegressor


def test_a_regressor_with_a_used_kernel() -> None:
    rng = np.random.default_rng(0)
    points, y = rng.normal(size=(12, 2)), rng.normal(size=12)
    net = ntkit.networks.mlp(ntkit.encodings.Identity(2), 1, width=16, depth=1)
    kernel = ntkit.ntk(net)
    kernel(torch.tensor(points))
    model = NTKRegressor(kernel=kernel)
    expected = model.fit(points, y).predict(points)
    for twin in (clone(model).fit(points, y), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(twin.predict(points), expected)
