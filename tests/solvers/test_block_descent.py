"""Block by block: the dense solve, an error that never grows, and a residual that was measured."""

import pytest
import torch

from ntkit import Grid, gram
from ntkit.kernels import RBF, Laplace
from ntkit.operators import DenseOperator, LowRankOperator, TiledOperator, scaled
from ntkit.scale import Threads
from ntkit.solvers import BlockDescent, solve
from tests.cases import randn
from tests.tolerances import assert_near, relative_error

X = randn(200, 3)
Y = torch.stack([X.sin().sum(1), X[:, 0] * X[:, 1]], 1)
KERNEL = Laplace(2.0)
SCALE = randn(200).abs() + 0.1

OPERATORS = {
    "stored": lambda: gram(KERNEL, X),
    "tiled": lambda: gram(KERNEL, X, structure="tiled"),
    "threads": lambda: TiledOperator(KERNEL, X, X, tile_bytes=8 * 40 * 3, executor=Threads(2)),
    "scaled": lambda: scaled(gram(KERNEL, X, structure="tiled"), SCALE),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("block", [40, 33, 500])
def test_it_is_a_dense_solve(name: str, block: int) -> None:
    op = OPERATORS[name]()
    found = solve(op, Y, ridge=0.3, tolerance=1e-8, method=BlockDescent(block))
    matrix = op.dense() + 0.3 * torch.eye(200).double()
    rest = Y - matrix @ found.x
    assert found.converged
    assert abs(found.residual - float((rest.norm(dim=0) / Y.norm(dim=0)).max())) < 1e-14
    assert relative_error(found.x, torch.linalg.solve(matrix, Y)) < 1e-6
    assert block < 200 or found.iterations == 1


def test_the_error_in_the_norm_of_the_matrix_never_grows() -> None:
    op = gram(RBF(1.0), X)
    matrix = op.dense() + 1e-2 * torch.eye(200).double()
    exact, errors = torch.linalg.solve(matrix, Y[:, 0]), []
    for passes in range(1, 6):
        with pytest.warns(RuntimeWarning, match="reached a relative residual"):
            found = solve(op, Y[:, 0], ridge=1e-2, method=BlockDescent(20, max_passes=passes))
        gap = found.x - exact
        errors.append(float(gap @ matrix @ gap))
        assert found.iterations == passes
    assert errors == sorted(errors, reverse=True)


def test_larger_blocks_take_fewer_passes() -> None:
    passes = [
        solve(gram(KERNEL, X), Y, ridge=0.1, tolerance=1e-3, method=BlockDescent(b)).iterations
        for b in (10, 50, 200)
    ]
    assert passes[0] > passes[1] > passes[2]


def test_float32_and_repeated_points() -> None:
    op = gram(KERNEL, X[:50].repeat(2, 1), structure="tiled").to(torch.float32)
    rhs = Y[:50].repeat(2, 1).float()
    found = solve(op, rhs, ridge=0.1, tolerance=1e-4, method=BlockDescent(30))
    assert found.x.dtype == torch.float32
    assert_near(found.x[:50], found.x[50:], loosen=1e4)


def test_a_right_hand_side_of_zeros_takes_no_pass() -> None:
    found = solve(gram(KERNEL, X), 0 * Y, ridge=0.1, method=BlockDescent(30))
    assert (found.iterations, found.converged, float(found.x.abs().max())) == (0, True, 0.0)


@pytest.mark.parametrize(
    "op", [LowRankOperator(randn(9, 2)), gram(RBF(0.1), Grid(9))], ids=["low rank", "grid"]
)
def test_operators_without_entries_are_refused(op) -> None:
    with pytest.raises(ValueError, match="`BlockDescent` needs entries of the matrix"):
        solve(op, randn(9), ridge=0.1, method=BlockDescent())


def test_parts_of_a_tiled_product() -> None:
    index = torch.tensor([3, 199, 0, 57])
    for op in (OPERATORS["tiled"](), OPERATORS["threads"]()):
        assert_near(op.rows_at(Y.T, index), op.rows(Y.T)[:, index])
        assert_near(op.block(index), op.dense()[index][:, index])
    assert isinstance(gram(KERNEL, X), DenseOperator)
