"""`solve`: every operator and method against a dense solve, and no wrong answer without a word."""

import re
from importlib import import_module

import pytest
import torch

from ntkit import Grid, encodings, gram, ntk
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF
from ntkit.operators import AbstractOperator, DenseOperator, LowRankOperator, TiledOperator
from ntkit.solvers import (
    Cholesky,
    Circulant,
    ConjugateGradients,
    Nystrom,
    PivotedCholesky,
    solve,
)
from ntkit.solvers.cost import Cost, measured
from tests.cases import layered, randn, seeded
from tests.solvers.test_chebyshev import positive_definite
from tests.tolerances import assert_near, relative_error

KERNEL = ntk(layered(encodings.Identity(3)))
STATIONARY = ntk(layered(encodings.Gaussian(2, 16, 2.0, seeded())))
CIRCLE = ntk(layered(encodings.Basic(1)))
POINTS = randn(150, 3)

OPERATORS = {
    "stored": lambda: gram(KERNEL, POINTS),
    "tiled": lambda: gram(KERNEL, POINTS, structure="tiled"),
    "toeplitz": lambda: gram(STATIONARY, Grid((9, 8)), structure="toeplitz"),
    "circulant": lambda: gram(CIRCLE, Grid(60), structure="circulant"),
    "low rank": lambda: LowRankOperator(randn(80, 7)),
    "float32": lambda: gram(KERNEL, POINTS).to(torch.float32),
}
METHODS = {
    "cholesky": Cholesky(),
    "plain": ConjugateGradients(),
    "pivoted": ConjugateGradients(PivotedCholesky(20)),
    "nystrom": ConjugateGradients(Nystrom(20)),
}
RIDGE = 0.3


def dense_solve(op, rhs: torch.Tensor, ridge: float) -> torch.Tensor:
    matrix = op.dense().double()
    return torch.linalg.solve(matrix + ridge * torch.eye(len(matrix)).double(), rhs)


@pytest.mark.parametrize("name", OPERATORS)
def test_auto_is_a_dense_solve_and_says_why(name: str) -> None:
    op = OPERATORS[name]()
    tolerance = 1e-5 if op.dtype == torch.float32 else 1e-10
    for rhs in (randn(op.shape[0]), randn(op.shape[0], 3)):
        found = solve(op, rhs, ridge=RIDGE, tolerance=tolerance)
        assert found.converged
        assert found.x.shape == rhs.shape
        assert found.why
        assert relative_error(found.x, dense_solve(op, rhs, RIDGE)) < 10 * tolerance


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
@pytest.mark.parametrize("name", ["stored", "tiled", "toeplitz", "low rank"])
def test_every_method_is_a_dense_solve(method, name: str) -> None:
    op, rhs = OPERATORS[name](), randn(OPERATORS[name]().shape[0], 2)
    found = solve(op, rhs, ridge=RIDGE, tolerance=1e-10, method=method)
    rest = rhs - op @ found.x - RIDGE * found.x
    assert abs(found.residual - float((rest.norm(dim=0) / rhs.norm(dim=0)).max())) < 1e-14
    assert found.converged
    assert relative_error(found.x, dense_solve(op, rhs, RIDGE)) < 1e-8


def test_own_inverses_take_one_iteration() -> None:
    """A circulant operator by its FFT, a low-rank one by its own factor."""
    for name, method in [("circulant", "cg, circulant"), ("low rank", "cg, pivoted cholesky")]:
        op = OPERATORS[name]()
        found = solve(op, randn(op.shape[0]), ridge=RIDGE)
        assert (found.iterations, found.method) == (1, method)


@pytest.mark.parametrize("preconditioner", [PivotedCholesky(40), Nystrom(40)], ids=repr)
def test_preconditioners_pay(preconditioner) -> None:
    """Of a kernel whose eigenvalues fall fast: less than a quarter of the products."""
    op, rhs = gram(RBF(1.5), POINTS, structure="tiled"), randn(150)
    plain = solve(op, rhs, ridge=1e-3, method=ConjugateGradients())
    fast = solve(op, rhs, ridge=1e-3, method=ConjugateGradients(preconditioner))
    assert fast.iterations < plain.iterations / 4


def test_products_in_float32_reach_a_tolerance_in_float64() -> None:
    """By refinement, where one round of float32 would stop far above."""
    op, rhs = gram(KERNEL, POINTS, structure="tiled"), randn(150, 2)
    method = ConjugateGradients(PivotedCholesky(50), dtype=torch.float32)
    found = solve(op, rhs, ridge=RIDGE, tolerance=1e-11, method=method)
    assert found.converged
    assert "products in float32" in found.why
    assert relative_error(found.x, dense_solve(op, rhs, RIDGE)) < 1e-9


def test_large_operators_are_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto beyond its limit: float32 tiles and a factor, to the residual asked for."""
    monkeypatch.setattr(import_module("ntkit.solvers.auto_method"), "_STORED", 2**20)
    monkeypatch.setattr(import_module("ntkit.solvers.cost"), "free_memory", lambda _: 2**20)
    x = randn(1500, 3)
    op = gram(KERNEL, x, structure="tiled")
    found = solve(op, x[:, 0].sin(), ridge=0.1, tolerance=1e-3)
    assert found.converged
    assert (found.method, found.iterations < 12) == ("cg, pivoted cholesky", True)
    for words in ("GiB are not stored", "387 columns", "products in float32"):
        assert words in found.why


class ByProducts(AbstractOperator):
    """A matrix that only multiplies."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self._matrix, self.shape = matrix, (len(matrix), len(matrix))
        self.dtype, self.device, self.kind = matrix.dtype, matrix.device, "by products"

    def rows(self, v: torch.Tensor) -> torch.Tensor:
        return v @ self._matrix

    def diagonal(self) -> torch.Tensor:
        return self._matrix.diagonal()

    def to(self, dtype: torch.dtype) -> "ByProducts":
        return ByProducts(self._matrix.to(dtype))


def test_an_operator_known_by_products_alone() -> None:
    """Auto sketches it; columns, if asked for, are products with unit vectors."""
    op, rhs = ByProducts(KERNEL(POINTS)), randn(150, 2)
    found = solve(op, rhs, ridge=RIDGE)
    assert found.method == "cg, nystrom"
    assert_near(found.x, dense_solve(op, rhs, RIDGE), loosen=1e5)
    by_columns = ConjugateGradients(PivotedCholesky(30))
    stored = solve(DenseOperator(KERNEL(POINTS)), rhs, ridge=RIDGE, method=by_columns)
    assert solve(op, rhs, ridge=RIDGE, method=by_columns).iterations == stored.iterations


def test_singular_systems() -> None:
    """Repeated points: solved where the right-hand side allows it, said where it does not."""
    op = gram(KERNEL, POINTS[:40].repeat(2, 1))
    rhs = randn(40).repeat(2)
    found = solve(op, rhs, tolerance=1e-9)
    assert found.converged
    assert "jitter" in found.why
    assert_near(op @ found.x, rhs, loosen=1e4)
    with pytest.warns(RuntimeWarning, match=r"`solve` reached a relative residual of 0\.[67]"):
        found = solve(op, randn(80), tolerance=1e-9)
    assert not found.converged
    assert 0.5 < found.residual < 0.8


def test_running_out_of_iterations_is_said() -> None:
    op, rhs = DenseOperator(positive_definite(60)), randn(60)
    with pytest.warns(RuntimeWarning, match="allow more `max_iterations`"):
        found = solve(op, rhs, method=ConjugateGradients(max_iterations=3))
    assert (found.converged, found.iterations) == (False, 3)
    rest = rhs - op @ found.x
    assert abs(found.residual - float(rest.norm() / rhs.norm())) < 1e-12


def test_zero_and_easy_right_hand_sides() -> None:
    op = gram(KERNEL, POINTS)
    assert float(solve(op, torch.zeros(150), ridge=1.0).x.abs().max()) == 0
    method = ConjugateGradients()
    assert solve(op, torch.zeros(150, 2), ridge=1.0, method=method).iterations == 0


def test_refusals() -> None:
    op = gram(KERNEL, POINTS)
    with pytest.raises(ValueError, match="`rhs` has 3 rows"):
        solve(op, randn(3))
    with pytest.raises(ValueError, match="`operator` must be square"):
        solve(gram(KERNEL, POINTS, POINTS[:3]), randn(150))
    with pytest.raises(ValueError, match="`ridge=-1` must be 0 or more"):
        solve(op, randn(150), ridge=-1)
    with pytest.raises(ValueError, match=r"`Circulant\(\)` needs the operator of a grid"):
        solve(op, randn(150), method=ConjugateGradients(Circulant()))
    with pytest.raises(NumericalError, match="`matrix` is not positive semi-definite"):
        solve(DenseOperator(-torch.eye(3)), torch.ones(3))
    huge = TiledOperator(lambda a, b: (a @ b.T) * 1e300, 1e10 * POINTS, 1e10 * POINTS)
    with pytest.raises(NumericalError, match="the residual is not finite"):
        solve(huge, randn(150), method=ConjugateGradients())


def test_the_bar_counts_digits(capsys: pytest.CaptureFixture) -> None:
    solve(gram(KERNEL, POINTS), randn(150), method=ConjugateGradients(), ridge=1.0, progress=True)
    written = capsys.readouterr().err
    assert "8.0/8.0 digits" in written
    assert "products, residual" in written


COSTS = {
    # seconds an entry and a multiply-add, bytes free: is the matrix stored?
    "12,000 points of an NTK": (Cost(12_000, 3e-8, 2.5e-11, 1095, 16 * 2**30), True),
    "an RBF, whose entries cost little": (Cost(60_000, 1e-9, 2.5e-11, 2449, 256 * 2**30), False),
    "too little memory": (Cost(12_000, 3e-8, 2.5e-11, 1095, 4 * 2**30), False),
    "memory unknown": (Cost(12_000, 3e-8, 2.5e-11, 1095, None), False),
    "many points": (Cost(400_000, 3e-8, 2.5e-11, 670, 2**43), False),
}


@pytest.mark.parametrize("name", COSTS)
def test_the_choice_by_cost(name: str) -> None:
    cost, stored = COSTS[name]
    assert cost.prefers_stored == stored


def test_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Auto stores what it finds cheaper, and says both times."""
    monkeypatch.setattr(import_module("ntkit.solvers.auto_method"), "_STORED", 2**10)
    monkeypatch.setattr(import_module("ntkit.solvers.cost"), "free_memory", lambda _: 2**40)
    op = gram(KERNEL, POINTS, structure="tiled")
    cost = measured(op, 10)
    assert (cost.n, cost.n_bytes) == (150, 16 * 150**2)
    assert 0 < cost.entry < 1e-3
    found = solve(op, POINTS[:, 0], ridge=0.1)
    assert found.method == "cholesky"
    assert re.search(r"GiB to store, about \S+ s, tile by tile \S+ s", found.why)


@pytest.mark.parametrize("tile_bytes", [2**14, 2**20])
def test_tiles_make_the_matrix(tile_bytes: int) -> None:
    for others in (POINTS, POINTS[:40]):
        op = TiledOperator(KERNEL, POINTS, others, tile_bytes=tile_bytes)
        assert_near(op.dense(), KERNEL(POINTS, others))
    whole = TiledOperator(KERNEL, POINTS, POINTS, tile_bytes=tile_bytes).dense()
    assert torch.equal(whole, whole.T)
