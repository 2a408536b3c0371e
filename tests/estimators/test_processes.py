"""Kernels, flows and estimators in processes of their own give what they give here."""

from concurrent.futures import ProcessPoolExecutor
from math import inf
from multiprocessing import get_context

import pytest
import torch
from torch import nn

import ntkit
import ntkit.estimators
from tests.cases import randn

selection = pytest.importorskip("sklearn.model_selection")


def relu_kernel() -> ntkit.kernels.InfiniteKernel:
    dense = ntkit.networks.Linear
    return ntkit.ntk(nn.Sequential(dense(2, 8), nn.ReLU(), dense(8, 1)))


@pytest.mark.slow
@pytest.mark.parametrize("t", [inf, 5.0])
def test_cross_validation_over_two_processes(t: float) -> None:
    X, y = randn(24, 2).numpy(), randn(24, seed=1).numpy()
    model = ntkit.estimators.NTKRegressor(t=t)
    here = selection.cross_val_score(model, X, y, cv=2, error_score="raise")
    there = selection.cross_val_score(model, X, y, cv=2, n_jobs=2, error_score="raise")
    assert abs(here - there).max() < 1e-12


@pytest.mark.slow
def test_a_kernel_and_a_flow_in_spawned_processes() -> None:
    kernel, X, y, test = relu_kernel(), randn(12, 2), randn(12, 1, seed=1), randn(4, 2, seed=2)
    flow = ntkit.GradientFlow(kernel, X, y)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        gram, learned = pool.submit(kernel, X), pool.submit(flow.predict, test, [1.0])
        assert torch.allclose(gram.result(), kernel(X), rtol=1e-12, atol=0)
        assert torch.allclose(learned.result(), flow.predict(test, [1.0]), rtol=1e-12, atol=1e-14)
