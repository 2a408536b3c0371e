"""Eigendecompositions in factors, against `torch.linalg.eigh`, by either way."""

import importlib

import pytest
import torch

from ntkit.kernels import RBF
from ntkit.solvers import eigenvectors as module
from ntkit.solvers.eigenvectors import eigenvectors
from tests.cases import randn
from tests.tolerances import assert_near


@pytest.fixture(params=["stages", "whole", "unknown integers"])
def way(request, monkeypatch: pytest.MonkeyPatch):
    """By LAPACK's stages, without scipy, and with a LAPACK of other integers."""
    if request.param == "stages":
        pytest.importorskip("scipy")
    monkeypatch.setattr(module, "_LARGE", 2)
    real = importlib.import_module

    def without(name: str, *rest):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *rest)

    if request.param == "whole":
        monkeypatch.setattr(importlib, "import_module", without)
    if request.param == "unknown integers":
        monkeypatch.setattr(module, "_STEDC", b"void (char *, long *)")
    module._stages.cache_clear()
    yield request.param
    module._stages.cache_clear()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [3, 4, 150])
def test_either_way(way: str, n: int, dtype: torch.dtype) -> None:
    matrix, rows = RBF(0.7)(randn(n, 2)).to(dtype), randn(6, n, seed=1, dtype=dtype)
    found = eigenvectors(matrix)
    assert (found._outer is not None) == (way == "stages")
    assert_near(found.values, torch.linalg.eigvalsh(matrix), loosen=10)
    assert bool((found.values.diff() >= 0).all())
    assert_near(found.back(found.into(rows)), rows, loosen=10)
    assert_near(found.back(found.into(rows) * found.values), rows @ matrix, loosen=30)
    vectors = found.back(torch.eye(n, dtype=dtype))
    assert_near(vectors @ vectors.T, torch.eye(n, dtype=dtype), loosen=10)


def test_repeated_eigenvalues(way: str) -> None:
    matrix = torch.eye(40, dtype=torch.float64) + torch.ones(40, 40, dtype=torch.float64)
    found = eigenvectors(matrix)
    assert_near(found.values[:-1], torch.ones(39).double(), loosen=100)
    assert_near(found.values[-1:], torch.tensor([41.0]).double(), loosen=100)
