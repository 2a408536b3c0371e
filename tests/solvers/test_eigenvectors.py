"""Eigendecompositions in factors, against `torch.linalg.eigh`, by either way."""

import importlib
from collections.abc import Iterator
from math import inf, nan

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import jvp, vmap

from ntkit import GradientFlow
from ntkit.kernels import RBF
from ntkit.solvers import eigenvectors as module
from ntkit.solvers.eigenvectors import Eigenvectors, eigenvectors
from tests import oracles
from tests.cases import randn
from tests.tolerances import assert_near, relative_error

DTYPES = [torch.float32, torch.float64]


def has_stages() -> bool:
    """Whether SciPy is there, with its threads in hold, and recent enough."""
    scipy = module._scipy()
    return scipy is not None and "dstevd" in vars(importlib.import_module("scipy.linalg.lapack"))


@pytest.fixture(params=["stages", "whole"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """By LAPACK's stages, however small the matrix is, and without SciPy."""
    monkeypatch.setattr(module, "_LARGE", 2)
    if request.param == "whole":
        monkeypatch.setattr(module, "_scipy", lambda: None)
    elif not has_stages():
        pytest.skip("needs SciPy 1.16 and threadpoolctl")
    yield request.param


def check(matrix: torch.Tensor, found: Eigenvectors) -> None:
    """`V` is orthogonal and reproduces the matrix; the values are those of torch, and rise."""
    n, dtype = len(matrix), matrix.dtype
    rows = randn(6, n, seed=1, dtype=dtype)
    size = matrix.abs().max()
    assert_near(found.values / size, torch.linalg.eigvalsh(matrix) / size, loosen=10)
    assert bool((found.values.diff() >= 0).all())
    assert_near(found.back(found.into(rows)), rows, loosen=10)
    assert_near(found.back(found.into(rows) * found.values) / size, rows @ matrix / size, loosen=30)
    vectors = found.back(torch.eye(n, dtype=dtype))
    assert_near(vectors @ vectors.T, torch.eye(n, dtype=dtype), loosen=10)
    assert_near(vectors.T @ vectors, torch.eye(n, dtype=dtype), loosen=10)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 150])
def test_either_way(way: str, n: int, dtype: torch.dtype) -> None:
    matrix = RBF(0.7)(randn(n, 2)).to(dtype)
    found = eigenvectors(matrix)
    assert (found._outer is not None) == (way == "stages" and n > 1)
    check(matrix, found)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "matrix",
    [
        torch.eye(40),
        torch.zeros(40, 40),
        torch.eye(40) + torch.ones(40, 40),  # one eigenvalue 39 times
        torch.diag(torch.arange(40.0)),
        torch.eye(40) + 1e-6 * torch.ones(40, 40),  # a cluster within single precision
        torch.kron(torch.eye(8), torch.ones(5, 5)),  # blocks: the tridiagonal form falls apart
        torch.diag(10.0 ** -torch.arange(38)),  # down to the smallest numbers
    ],
    ids=["identity", "zero", "repeated", "diagonal", "cluster", "blocks", "graded"],
)
def test_repeated_and_clustered_eigenvalues(
    way: str, matrix: torch.Tensor, dtype: torch.dtype
) -> None:
    matrix = matrix.to(dtype)
    found = eigenvectors(matrix)
    one = torch.eye(len(matrix), dtype=dtype)
    vectors = found.into(one)
    assert_near(vectors @ vectors.T, one, loosen=10)
    assert_near(vectors.T @ vectors, one, loosen=10)
    assert_near(found.back(vectors * found.values), matrix, loosen=30)


@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_matrices_far_from_one(way: str, scale: float) -> None:
    matrix = RBF(0.7)(randn(50, 2)) * scale
    found = eigenvectors(matrix)
    assert_near(found.values / scale, torch.linalg.eigvalsh(matrix / scale), loosen=10)
    rows = randn(3, 50, seed=2)
    assert_near(found.back(found.into(rows)), rows, loosen=10)


def test_entries_that_are_not_stored_in_full_cost_no_more_than_their_own_digits(way: str) -> None:
    matrix = (RBF(0.7)(randn(50, 2)) * 1e-41).float()
    found = eigenvectors(matrix).values.double()
    assert relative_error(found, torch.linalg.eigvalsh(matrix.double())) < 1e-4


def test_derivatives_forwards_are_those_of_eigh(way: str) -> None:
    matrix, change = RBF(0.7)(randn(30, 2)), randn(30, 30, seed=1)
    change = change + change.T

    def least_and_largest(matrix: torch.Tensor) -> torch.Tensor:
        return eigenvectors(matrix).values[[0, -1]]

    expected = jvp(lambda m: torch.linalg.eigvalsh(m)[[0, -1]], (matrix,), (change,))[1]
    assert_near(jvp(least_and_largest, (matrix,), (change,))[1], expected, loosen=1000)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(least_and_largest(forward_ad.make_dual(matrix, change)))
    assert found.tangent is not None
    assert_near(found.tangent, expected, loosen=1000)
    assert_near(vmap(least_and_largest)(matrix[None])[0], least_and_largest(matrix), loosen=10)


def test_a_view_of_the_negative_is_read_as_such(way: str) -> None:
    matrix = RBF(0.7)(randn(30, 2))
    check(matrix, eigenvectors((-1j * matrix).conj().imag))


@pytest.mark.parametrize("number", [nan, inf])
def test_what_is_not_finite_is_answered_as_torch_answers(way: str, number: float) -> None:
    matrix = torch.eye(20, dtype=torch.float64)
    matrix[3, 4] = matrix[4, 3] = number
    try:
        expected = torch.linalg.eigh(matrix)[0]
    except RuntimeError:
        with pytest.raises(RuntimeError):
            eigenvectors(matrix)
    else:
        found = eigenvectors(matrix)
        assert found._outer is None
        torch.testing.assert_close(found.values, expected, equal_nan=True)


def test_a_matrix_that_asks_for_gradients_keeps_them(way: str) -> None:
    x = randn(8, 2).requires_grad_()
    eigenvectors(RBF(0.7)(x)).values.sum().backward()
    assert x.grad is not None
    with torch.no_grad():
        assert (eigenvectors(RBF(0.7)(x))._outer is not None) == (way == "stages")


def test_the_matrix_is_left_as_found(way: str) -> None:
    matrix = RBF(0.7)(randn(30, 2))
    before = matrix.clone()
    eigenvectors(matrix)
    assert torch.equal(matrix, before)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_flow_is_that_of_eigh(way: str, dtype: torch.dtype, tolerance: float) -> None:
    x, y = randn(90, 3), randn(90, 2, seed=1)
    kernel = RBF(1.0)
    flow = GradientFlow(kernel, x, y, dtype=dtype)
    test = randn(7, 3, seed=2)
    for t in (
        0.01,
        0.1,
        1.0,
    ):  # later, what single precision leaves of an eigenvalue is multiplied by t
        _, weights = oracles.flow_by_eigh(kernel(x), y, t)
        expected = kernel(test, x) @ weights
        found = flow.predict(test, [t])[0]
        assert float((found - expected).norm() / expected.norm()) < tolerance


def test_threads_are_left_as_found() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pytest.importorskip("scipy")
    scipy = module._scipy()
    assert scipy is not None
    before = threadpoolctl.threadpool_info()
    with scipy[1](), scipy[1]():
        inside = [each for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"]
        assert {each["num_threads"] for each in inside} == {torch.get_num_threads()}
    assert threadpoolctl.threadpool_info() == before
