"""Products and features by an executor: those of one place, whoever computes."""

import copy
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ntkit import empirical_ntk, gram
from ntkit._core.executor import Threads
from ntkit.kernels import FeatureStore, Sketch
from ntkit.solvers import solve
from tests.cases import randn
from tests.tolerances import assert_near

X, Y = randn(300, 3), randn(270, 3, seed=1)
GENERATOR = torch.Generator().manual_seed(0)
NET = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2)).double()


@pytest.mark.parametrize("outputs", ["trace", "full", 1])
@pytest.mark.parametrize("memory", [2**30, 50_000], ids=["factors", "derivatives"])
@pytest.mark.parametrize("x2", [None, Y], ids=["same", "others"])
def test_products_are_those_of_the_matrix(outputs, memory: int, x2: Tensor | None) -> None:
    kernel = empirical_ntk(NET, outputs)
    one = kernel.operator(X, x2, memory=memory, executor=Threads())
    two = kernel.operator(X, x2, memory=memory, executor=Threads(2))
    assert ("factors" in one.about) == (memory > 50_000)
    v = randn(one.shape[1], 2, seed=2)
    found = one @ v
    assert torch.equal(found, two @ v)
    assert_near(found, kernel.operator(X, x2) @ v, loosen=10)
    assert_near(copy.deepcopy(one) @ v, found)


def test_a_solution_by_an_executor() -> None:
    kernel = empirical_ntk(NET)
    op = gram(kernel, X, executor=Threads(2))
    assert op.kind == "matrix-free"
    y = X.sin()
    found = solve(op, y, ridge=1.0)
    assert found.converged
    assert_near(found.x, solve(gram(kernel, X), y, ridge=1.0).x, loosen=1e5)
    tiled = gram(kernel, X, executor=Threads(2), structure="tiled")
    assert_near(op @ y, tiled @ y, loosen=10)


class Branching(nn.Module):
    """Few points go through an operation that no rule is for."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.layer.weight.T.sin() if len(x) == 44 else self.layer(x)


def test_pieces_that_go_two_ways_are_refused() -> None:
    op = empirical_ntk(Branching().double()).operator(X, executor=Threads())
    with pytest.raises(ValueError, match="takes another way with points 256 to 299"):
        op @ X


def test_features_are_those_of_one_place(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    kernel = empirical_ntk(NET, method=Sketch(32))
    found = kernel.features(X, executor=Threads(2))
    assert_near(found, kernel.features(X))
    assert torch.equal(found, kernel.features(X, executor=Threads()))
    store = FeatureStore(tmp_path, kernel)
    store.append(X, executor=Threads(2))
    assert torch.equal(store.features(), found)
    pair = empirical_ntk(Two(), method=Sketch(32))
    for points in ((X, X), {"a": X, "b": X}):
        assert_near(pair.features(points, executor=Threads()), pair.features(points))


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2).double()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.layer(a) * b[:, :2]


@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
def test_a_full_disk_leaves_whole_files(tmp_path: Path) -> None:
    import resource

    pytest.importorskip("safetensors")
    store = FeatureStore(tmp_path, empirical_ntk(NET, method=Sketch(32)))
    store.append(X[:2])
    before = sorted(tmp_path.iterdir())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))
    try:
        with pytest.raises(OSError, match=r"could not be written: File too large.*make room"):
            store.append(X)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(tmp_path.iterdir()) == before
    assert len(store) == 2
