"""Every solution is as good as it says: the residual stated is that of what is returned."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ntkit import gram
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF
from ntkit.operators import AbstractOperator, DenseOperator, LowRankOperator
from ntkit.solvers import (
    Cholesky,
    ConjugateGradients,
    Nystrom,
    PivotedCholesky,
    Solution,
    conjugate_gradients,
    solve,
)
from tests.cases import randn
from tests.tolerances import relative_error

POINTS = randn(30, 2)
SMOOTH = gram(RBF(1.0), POINTS).dense() + 1e-6 * torch.eye(30).double()
ROTATION = torch.linalg.qr(randn(20, 20)).Q


def of_condition(condition: float) -> DenseOperator:
    values = torch.linspace(0, -1, 20).double().mul(torch.log(torch.tensor(condition))).exp()
    matrix = ROTATION * values @ ROTATION.T
    return DenseOperator((matrix + matrix.T) / 2)


Case = Callable[[], tuple[AbstractOperator, Tensor, dict[str, object]]]
FEW = LowRankOperator(randn(30, 5))
SOLVES: dict[str, Case] = {
    "float64": lambda: (DenseOperator(SMOOTH), randn(30), {}),
    "rounded at the end": lambda: (DenseOperator(SMOOTH), randn(30).float(), {}),
    "rounded, several": lambda: (DenseOperator(SMOOTH), randn(30, 3).float(), {"ridge": 1e-3}),
    "rounded, well conditioned": lambda: (of_condition(10), randn(20).float(), {}),
    "rounded, asked for more": lambda: (of_condition(10), randn(20).float(), {"tolerance": 1e-9}),
    "float32": lambda: (of_condition(1e3).to(torch.float32), randn(20), {}),
    "float32, both": lambda: (of_condition(1e3).to(torch.float32), randn(20).float(), {}),
    "float32, iterated": lambda: (
        of_condition(1e3).to(torch.float32),
        randn(20),
        {"method": ConjugateGradients()},
    ),
    "tiled": lambda: (gram(RBF(1.0), POINTS, structure="tiled"), randn(30), {"ridge": 1e-2}),
    "tiny right-hand side": lambda: (of_condition(10), 1e-300 * randn(20), {}),
    "tiny, iterated": lambda: (
        of_condition(10),
        1e-300 * randn(20),
        {"method": ConjugateGradients()},
    ),
    "large": lambda: (of_condition(10), 1e250 * randn(20), {}),
    "tiny matrix": lambda: (DenseOperator(1e-300 * torch.eye(5).double()), randn(5), {}),
    "large matrix": lambda: (DenseOperator(1e300 * torch.eye(5).double()), randn(5), {}),
    "what underflows": lambda: (
        DenseOperator(1e300 * torch.eye(5).double()),
        1e-300 * randn(5),
        {},
    ),
    "low rank, within": lambda: (FEW, FEW @ randn(30), {}),
    "low rank, without": lambda: (FEW, randn(30), {}),
    "rank of all columns": lambda: (
        of_condition(2),
        randn(20),
        {"method": ConjugateGradients(PivotedCholesky(20))},
    ),
    "rank beyond": lambda: (
        of_condition(1e6),
        randn(20),
        {"method": ConjugateGradients(PivotedCholesky(90))},
    ),
    "sketch of all": lambda: (
        of_condition(1e3),
        randn(20),
        {"method": ConjugateGradients(Nystrom(20))},
    ),
    "too few iterations": lambda: (
        of_condition(1e6),
        randn(20),
        {"method": ConjugateGradients(max_iterations=3)},
    ),
    "zero": lambda: (of_condition(10), torch.zeros(20).double(), {}),
}
FAIL = {"what underflows", "low rank, without", "too few iterations", "rounded, asked for more"}
MAY_FAIL = {"rounded at the end", "rounded, several"}


def true_residual(op: AbstractOperator, x: Tensor, b: Tensor, ridge: float) -> tuple[float, float]:
    """In float64, after scaling each side to norms that exist; and how much of it may be the product's own rounding."""
    matrix = op.dense().double() + ridge * torch.eye(op.shape[0]).double()
    size = b.double().abs().amax(0).clamp_min(1e-307)
    rest = b.double() / size - matrix @ (x.double() / size)
    length = (b.double() / size).norm(dim=0).clamp_min(1e-307)
    rounding = torch.finfo(torch.float64).eps * (matrix.abs() @ (x.double() / size).abs())
    return float((rest.norm(dim=0) / length).max()), float((rounding.norm(dim=0) / length).max())


@pytest.mark.parametrize("name", SOLVES)
def test_the_residual_stated_is_that_of_what_is_returned(name: str) -> None:
    op, rhs, options = SOLVES[name]()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = solve(op, rhs, **options)
    assert found.x.dtype == rhs.dtype and found.x.shape == rhs.shape
    ridge = options.get("ridge", 0.0)
    assert isinstance(ridge, float)
    true, rounding = true_residual(op, found.x, rhs, ridge)
    assert abs(found.residual - true) <= 1e-3 * true + max(1e-12, 2 * rounding)  # of two products
    assert bool(said) == (not found.converged)
    if name not in MAY_FAIL:
        assert found.converged == (name not in FAIL)


def test_what_is_lost_in_rounding_is_said() -> None:
    rhs = torch.sin(3 * torch.arange(30.0))
    with pytest.warns(
        RuntimeWarning, match=r"before `x` was rounded to torch.float32\). Pass `rhs.d"
    ):
        found = solve(DenseOperator(SMOOTH), rhs)
    assert not found.converged and found.residual > 1e-4
    with pytest.warns(RuntimeWarning, match="rounded to torch.float64.* Scale `rhs` up"):
        solve(DenseOperator(1e300 * torch.eye(5).double()), 1e-300 * torch.ones(5).double())


@pytest.mark.parametrize(
    ("size", "rhs", "match"),
    [
        (1e-300, torch.ones(5), r"beyond the range of torch.float32. Pass `rhs.double\(\)`"),
        (
            1e-300,
            1e10 * torch.ones(5).double(),
            "beyond the range of torch.float64. Scale the kernel",
        ),
    ],
)
@pytest.mark.parametrize("method", [Cholesky(), ConjugateGradients()], ids=repr)
def test_what_no_number_holds_is_refused(size: float, rhs: Tensor, match: str, method) -> None:
    with pytest.raises(NumericalError, match=match):
        solve(DenseOperator(size * torch.eye(5).double()), rhs, method=method)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("condition", [10.0, 1e6, 1e12])
def test_conjugate_gradients_that_converged_are_within_the_tolerance(
    scale: float, condition: float
) -> None:
    op, b = of_condition(condition), scale * randn(2, 20)
    found = conjugate_gradients(op, b, tolerance=1e-9, max_iterations=60)
    true, _ = true_residual(op, found.x.T, b.T, 0.0)
    assert isinstance(found, Solution)
    assert abs(found.residual - true) <= 1e-3 * true + 1e-12
    assert found.converged == (found.residual <= 1e-9)
    assert found.converged or condition > 10


def test_a_matrix_is_an_operator() -> None:
    rhs = randn(30)
    assert torch.equal(solve(SMOOTH, rhs).x, solve(DenseOperator(SMOOTH), rhs).x)


def test_what_is_no_matrix(unchecked) -> None:
    with pytest.raises(TypeError, match=r"`operator` must be an operator .* got ndarray"):
        solve(SMOOTH.numpy(), randn(30))
    with pytest.raises(TypeError, match=r"`operator` must be float32 or float64, got torch.int64"):
        solve(torch.eye(30).long(), randn(30))
    with pytest.raises(TypeError, match=r"`rhs` is complex.* real and imaginary"):
        solve(SMOOTH, torch.complex(randn(30), randn(30)))


@pytest.mark.parametrize("condition", [2.0, 1e6])
def test_all_columns_are_an_inverse(condition: float) -> None:
    op, rhs = of_condition(condition), randn(20)
    found = solve(op, rhs, method=ConjugateGradients(PivotedCholesky(20)))
    assert found.iterations <= 2
    assert relative_error(found.x, torch.linalg.solve(op.dense(), rhs)) < 1e-9 * condition
