"""What a flow says of its error is true of what it returns, in both precisions."""

import pytest
import torch
from torch import Tensor

from ntkit import Grid, encodings, gram
from ntkit.dynamics.gradient_descent import DescentResponse
from ntkit.dynamics.heavy_ball import HeavyBallResponse
from ntkit.dynamics.two_step import TwoStepResponse
from ntkit.kernels import Matern, Stationary
from ntkit.operators import LowRankOperator
from ntkit.solvers import (
    FlowResponse,
    Limit,
    block_lanczos,
    gauss_rule,
    lanczos_coefficients,
    prepare,
    radau_coefficients,
    with_ridge,
)
from ntkit.spectra import spectral_density
from tests.cases import randn, seeded
from tests.tolerances import assert_near

KERNEL, GRID = Matern(1.5, 0.3), Grid((8, 6))
PERIODIC = Stationary(encodings.Gaussian(2, 16, 1.0, seeded(), integer=True))
POINTS = torch.rand(48, 2, generator=seeded()).double()
OPERATORS = {
    "dense": lambda: gram(KERNEL, POINTS),
    "tiled": lambda: gram(KERNEL, POINTS, structure="tiled"),
    "toeplitz": lambda: gram(KERNEL, GRID, structure="toeplitz"),
    "circulant": lambda: gram(PERIODIC, GRID, structure="circulant"),
    "low rank": lambda: LowRankOperator(randn(48, 9)),
    "low rank, float32": lambda: LowRankOperator(randn(48, 9).float()),
}
RULES = {
    "early": lambda top: FlowResponse(1 / top),
    "later": lambda top: FlowResponse(1e2 / top),
    "late": lambda top: FlowResponse(1e4 / top),
    "ridge": lambda top: with_ridge(FlowResponse(1e4 / top), 1e-3 * top),
    "descent": lambda top: DescentResponse(1 / top, 300),
    "momentum": lambda top: TwoStepResponse(0.5 / top, 0.9, 300, nesterov=False),
    "heavy ball": lambda top: HeavyBallResponse(100 / top**0.5, 0.1 * top**0.5),
}


def exact(matrix: Tensor, rows: Tensor, response) -> Tensor:
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return ((rows @ vectors) * response.left(values.clamp_min(0))) @ vectors.T


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_the_error_stated_is_not_below_the_true_one(name: str, dtype: torch.dtype) -> None:
    op, rows = OPERATORS[name](), randn(2, 48)
    matrix = op.dense().double()
    top = float(torch.linalg.eigvalsh(matrix).max())
    ready = prepare(op, rows, tolerance=1e-8 if dtype == torch.float64 else 1e-6, dtype=dtype)
    for rule, make in RULES.items():
        response = make(top)
        found = ready.solve([response])
        wrong = found.decay[0].double() - exact(matrix, rows, response)
        true = float((wrong.norm(dim=1) / rows.norm(dim=1)).max())
        assert true <= found.error, rule
        assert found.error < 1e-6 or torch.float32 in {dtype, op.dtype}, rule


@pytest.mark.parametrize("name", ["dense", "circulant", "low rank"])
def test_the_end_of_training_states_its_residual(name: str) -> None:
    op, rows = OPERATORS[name](), randn(2, 48)
    found = prepare(op, rows, tolerance=1e-8).solve([Limit(0.1)])
    rest = rows - op.rows(found.weights[0]) - 0.1 * found.weights[0]
    assert float((rest.norm(dim=1) / rows.norm(dim=1)).max()) <= found.error < 1e-10


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_eigenpairs_that_converged_have_their_residuals(dtype: torch.dtype) -> None:
    op = gram(KERNEL, POINTS).to(dtype)
    found = block_lanczos(op, count=5, tolerance=1e-9)
    vectors, matrix = found.vectors.double(), op.dense().double()
    true = (vectors @ matrix - found.values.double()[:, None] * vectors).norm(dim=1)
    assert bool((true <= found.residuals.double() + 1e-12).all())
    assert found.converged == (dtype == torch.float64)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10, 30])
@pytest.mark.parametrize("ridge", [1e-3, 1e-1, 10.0])
def test_few_products_state_what_they_leave_open(steps: int, ridge: float) -> None:
    op = gram(KERNEL, POINTS)
    found = spectral_density(op, steps=steps).effective_dimension(ridge)
    values = torch.linalg.eigvalsh(op.dense())
    assert abs(found.value - float((values / (values + ridge)).sum())) <= 3 * found.error


def test_a_rule_with_a_node_at_zero() -> None:
    """It is exact for powers up to twice its steps less two, and errs to the other side than Gauss."""
    op, start = gram(KERNEL, POINTS), randn(3, 48)
    unit = start / start.norm(dim=1, keepdim=True)
    for steps in (1, 2, 4):
        diagonal, beside = lanczos_coefficients(op, start, steps=steps)
        nodes, weights = gauss_rule(radau_coefficients(diagonal, beside), beside)
        assert_near(nodes.abs().amin(1) + 1, torch.ones(3).double())
        for power in range(2 * steps - 1):
            exact_value = (unit @ torch.linalg.matrix_power(op.dense(), power) * unit).sum(1)
            assert_near((weights * nodes**power).sum(1), exact_value, loosen=10)
