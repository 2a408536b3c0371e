"""`exp(-tK) r` and `phi_t(K) r` of every kind of operator, against a dense `eigh`."""

from math import inf

import pytest
import torch

from ntkit import Grid, encodings, gram, ntk
from ntkit._core.errors import NumericalError
from ntkit.operators import (
    AbstractOperator,
    CirculantOperator,
    DenseOperator,
    LowRankOperator,
    ToeplitzOperator,
)
from ntkit.solvers import solve_flow
from ntkit.solvers.flow_by_products import LANCZOS_STEPS
from tests import oracles
from tests.cases import layered, randn, seeded
from tests.tolerances import assert_near, relative_error


def kernel_of(encoding: encodings.AbstractEncoding):
    return ntk(layered(encoding))


GRID = Grid((12, 9))
TRAIN = GRID[::2, ::2]  # 6 x 5
GAUSSIAN = kernel_of(encodings.Gaussian(2, 32, 2.0, seeded()))
PERIODIC = kernel_of(encodings.Gaussian(2, 32, 2.0, seeded(), integer=True))
OPERATORS: list[AbstractOperator] = [
    gram(GAUSSIAN, TRAIN, structure="dense"),
    gram(GAUSSIAN, TRAIN, structure="tiled"),
    gram(GAUSSIAN, TRAIN, structure="toeplitz"),
    gram(PERIODIC, Grid((6, 5)), structure="circulant"),
    gram(PERIODIC, Grid((6, 5)), structure="toeplitz"),
    LowRankOperator(torch.linalg.cholesky(GAUSSIAN(TRAIN.points()))),
    gram(kernel_of(encodings.Gaussian(1, 32, 2.0, seeded())), Grid(31), structure="toeplitz"),
    gram(
        kernel_of(encodings.Gaussian(3, 32, 1.0, seeded())), Grid((3, 4, 3)), structure="toeplitz"
    ),
]
every_operator = pytest.mark.parametrize("op", OPERATORS, ids=repr)
TIMES = [10.0**e for e in range(-1, 6)]


@every_operator
def test_against_dense_eigenvectors(op: AbstractOperator) -> None:
    n = op.shape[0]
    r = randn(2, n)
    times = [t / n for t in TIMES]
    found = solve_flow(op, r, [*times, inf], tolerance=1e-9)
    for i, t in enumerate([*times, inf]):
        decay, weights = oracles.flow_by_eigh(op.dense(), r.T, t)
        assert relative_error(found.decay[i], r) <= 1.01, "training never moves away"
        learned, expected = found.weights[i] @ op.dense(), weights.T @ op.dense()
        for error in (found.decay[i] - decay.T, learned - expected):
            assert float(error.norm() / r.norm()) < 2e-9, "the tolerance, and as much of rounding"
    assert found.error <= 2e-9


@every_operator
def test_what_is_learned_and_what_is_left_add_up(op: AbstractOperator) -> None:
    """`exp(-tK) r + K phi_t(K) r = r`."""
    n = op.shape[0]
    r = randn(2, n)
    found = solve_flow(op, r, [0.0, 1 / n, 1e3 / n, inf], tolerance=1e-9)
    for decay, weights in zip(found.decay, found.weights, strict=True):
        assert float((decay + op.rows(weights) - r).norm() / r.norm()) < 1e-8


@every_operator
def test_two_stretches_of_training_are_one(op: AbstractOperator) -> None:
    """The flow is a semigroup: `exp(-(s + t)K) = exp(-sK) exp(-tK)`."""
    n = op.shape[0]
    r, s, t = randn(1, n), 3 / n, 40 / n
    whole = solve_flow(op, r, [s + t], tolerance=1e-11).decay[0]
    half = solve_flow(op, r, [s], tolerance=1e-11).decay[0]
    assert relative_error(solve_flow(op, half, [t], tolerance=1e-11).decay[0], whole) < 1e-9


@every_operator
def test_order_and_repetition_of_times(op: AbstractOperator) -> None:
    n = op.shape[0]
    r, times = randn(2, n), [100 / n, 0.0, inf, 1 / n, 0.0, inf, 100 / n]
    shuffled = solve_flow(op, r, times, tolerance=1e-9)
    ordered = solve_flow(op, r, sorted(set(times)), tolerance=1e-9)
    for i, t in enumerate(times):
        j = sorted(set(times)).index(t)
        assert_near(shuffled.decay[i], ordered.decay[j], loosen=10)
        assert relative_error(shuffled.weights[i], ordered.weights[j]) < 1e-11
    assert_near(shuffled.decay[1], r, loosen=1e4)  # to the tolerance of the series
    assert float(shuffled.weights[1].abs().max()) < 1e-8 * float(shuffled.weights[0].abs().max())


@pytest.mark.parametrize("times", [[0.0], [inf], [0.0, inf]], ids=str)
@every_operator
def test_the_ends_of_training_alone(op: AbstractOperator, times: list[float]) -> None:
    r = randn(1, op.shape[0])
    found = solve_flow(op, r, times, tolerance=1e-9)
    for decay, t in zip(found.decay, times, strict=True):
        assert float((decay - (r if t == 0 else 0 * r)).norm() / r.norm()) < 1e-8


@pytest.mark.parametrize("op", OPERATORS[2:3] + OPERATORS[6:], ids=repr)
def test_a_single_precision_recurrence(op: AbstractOperator) -> None:
    n = op.shape[0]
    r = randn(2, n)
    times = [t / n for t in TIMES]
    found = solve_flow(op, r, times, tolerance=1e-6, dtype=torch.float32)
    for i, t in enumerate(times):
        decay, _ = oracles.flow_by_eigh(op.dense(), r.T, t)
        assert float((found.decay[i] - decay.T).norm() / r.norm()) < 1e-5


def test_methods_and_products_are_reported() -> None:
    r, steps = randn(1, 30), []
    methods = [solve_flow(op, r, [1.0], tolerance=1e-9).method for op in OPERATORS[:6]]
    assert methods == ["eigh", "chebyshev", "chebyshev", "fft", "chebyshev", "low-rank"]
    found = solve_flow(OPERATORS[2], r, [1.0, inf], tolerance=1e-9, on_step=lambda: steps.append(1))
    assert found.method == "chebyshev+cg"
    assert found.products == len(steps) + LANCZOS_STEPS


def test_repeated_eigenvalues_beyond_lanczos() -> None:
    """A Krylov space holds one vector of each eigenspace; the bound is then found by trying."""
    grid = Grid((8, 8))
    op = gram(kernel_of(encodings.Basic(2)), grid, structure="toeplitz")
    r = randn(2, 64)
    found = solve_flow(op, r, [10 / 64, 1e4 / 64], tolerance=1e-9)
    for i, t in enumerate([10 / 64, 1e4 / 64]):
        decay, _ = oracles.flow_by_eigh(op.dense(), r.T, t)
        assert float((found.decay[i] - decay.T).norm() / r.norm()) < 1e-8


def test_singular_matrices_learn_only_what_they_see() -> None:
    """At `t = inf` the part in the null space stays; before it, its weights grow as `t`."""
    left = randn(12, 3)
    r = randn(1, 12)
    seen = r @ torch.linalg.pinv(left).T @ left.T
    for op in (LowRankOperator(left), DenseOperator(left @ left.T)):
        found = solve_flow(op, r, [2.0, inf], tolerance=1e-9)
        assert_near(found.decay[1], r - seen, loosen=1e3)
        _, weights = oracles.flow_by_eigh(left @ left.T, r.T, 2.0)
        assert_near(found.weights[0], weights.T, loosen=1e3)
    circulant = CirculantOperator(torch.ones(12).double())
    decay = solve_flow(circulant, r, [inf], tolerance=1e-9).decay[0]
    assert_near(decay, r - r.mean(), loosen=10)


def test_a_solve_that_does_not_converge_is_no_answer() -> None:
    """Far from definite: conjugate gradients cannot reach the tolerance."""
    table = torch.cos(torch.arange(-19, 20, dtype=torch.float64))  # rank two
    with pytest.raises(NumericalError, match=r"t = inf: conjugate gradients stopped at a relative"):
        solve_flow(ToeplitzOperator(table, (20,)), randn(1, 20), [inf], tolerance=1e-12)


def test_no_bound_for_what_is_not_symmetric() -> None:
    op = ToeplitzOperator(1e3 * randn(39), (20,))
    with pytest.raises(NumericalError, match="No bound on the spectrum was found"):
        solve_flow(op, randn(1, 20), [1.0], tolerance=1e-9)


def test_unknown_operators_are_refused(unchecked) -> None:
    with pytest.raises(TypeError, match=r"No flow solver for `builtins.float`"):
        solve_flow(1.0, randn(1, 2), [1.0], tolerance=1e-9)
