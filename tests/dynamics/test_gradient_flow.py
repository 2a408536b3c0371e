"""Predictions of training: every structure against the dense formula."""

from math import inf

import pytest
import torch

from ntkit import GradientFlow, Grid, encodings, ntk
from tests import oracles
from tests.cases import GRIDS, layered, randn, seeded
from tests.tolerances import assert_near

FIGURE = 1e-6  # what is promised of Chebyshev and of conjugate gradients, relative, in float64
BUDGETS = [10.0**e for e in range(-1, 6)]


def gaussian(d: int, *, integer: bool = False):
    return ntk(layered(encodings.Gaussian(d, 32, 2.0, seeded(), integer=integer)))


def by_dense_formula(kernel, train, y, points, t: float, f0=None) -> torch.Tensor:
    """`f0 + K_* phi_t(K) (y - f0)`."""
    initial, start = (0.0, 0.0) if f0 is None else (f0(train), f0(points))
    _, weights = oracles.flow_by_eigh(kernel(train), y - initial, t)
    return start + kernel(points, train) @ weights


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize(("fine", "coarse"), GRIDS, ids=lambda g: str(g.shape))
def test_exact_grid_engine(fine: Grid, coarse: Grid) -> None:
    kernel, n = gaussian(fine.ndim), len(coarse)
    y = randn(*coarse.shape, 2)
    flow = GradientFlow(kernel, coarse, y)
    assert flow.kind == "toeplitz"
    times = [*(t / n for t in BUDGETS), inf]
    predictions = flow.predict(fine, times)
    assert predictions.shape == (len(times), *fine.shape, 2)
    for t, prediction in zip(times, predictions, strict=True):
        expected = by_dense_formula(kernel, coarse.points(), y.flatten(0, -2), fine.points(), t)
        assert relative(prediction.flatten(0, -2), expected) < FIGURE


@pytest.mark.parametrize("grid", [Grid(12), Grid((8, 6)), Grid((4, 6, 4))], ids=str)
def test_periodic_engine(grid: Grid) -> None:
    kernel = gaussian(grid.ndim, integer=True)
    train = grid[(slice(None, None, 2),) * grid.ndim]
    y = randn(*train.shape)
    flow = GradientFlow(kernel, train, y)
    assert flow.kind == "circulant"
    times = [*(t / len(train) for t in BUDGETS), inf]
    for t, prediction in zip(times, flow.predict(grid, times), strict=True):
        expected = by_dense_formula(kernel, train.points(), y.flatten(), grid.points(), t)
        assert relative(prediction.flatten(), expected) < FIGURE


@pytest.mark.parametrize("structure", ["dense", "tiled", "toeplitz", "low-rank"])
def test_every_structure_and_every_kind_of_point(structure) -> None:
    kernel, train, fine = gaussian(2), Grid((8, 6))[::2, ::2], Grid((8, 6))
    y, other = randn(12), randn(5, 2)
    flow = GradientFlow(kernel, train, y, structure=structure, low_rank_tolerance=1e-14)
    for t in (0.02, 5.0, inf):
        for points, where in ((fine, fine.points()), (other, other), (train, train.points())):
            expected = by_dense_formula(kernel, train.points(), y, where, t)
            assert relative(flow.predict(points, [t]).flatten(), expected) < FIGURE


def test_points_off_a_grid() -> None:
    kernel, x = gaussian(2), randn(20, 2)
    y, other = randn(20, 3), randn(6, 2, seed=3)
    flow = GradientFlow(kernel, x, y)
    assert flow.kind == "dense"
    prediction = flow.predict(other, [0.3])[0]
    assert_near(prediction, by_dense_formula(kernel, x, y, other, 0.3), loosen=1e3)


def test_many_points_off_a_grid_take_a_thin_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The raw coordinates of a grid, too many for a dense matrix."""
    monkeypatch.setattr("ntkit.dynamics.expansion.DENSE_BYTES", 1000)
    kernel, train = ntk(layered(encodings.Identity(2))), Grid((12, 12))[::2, ::2]
    y = randn(6, 6)
    flow = GradientFlow(kernel, train, y, low_rank_tolerance=1e-13)
    assert flow.kind == "low-rank"
    assert flow.factor is not None
    assert flow.factor.error <= 1e-13
    expected = by_dense_formula(kernel, train.points(), y.flatten(), Grid((12, 12)).points(), 0.2)
    assert relative(flow.predict(Grid((12, 12)), [0.2]).flatten(), expected) < FIGURE


def test_the_initial_function_stays_where_nothing_is_learned() -> None:
    kernel, train, fine = gaussian(2), Grid((8, 6))[::2, ::2], Grid((8, 6))
    net = layered(encodings.Basic(2)).double()
    y = randn(12, 1)
    flow = GradientFlow(kernel, train, y, f0=net)

    def f0(x: torch.Tensor) -> torch.Tensor:
        return net(x).detach()

    assert_near(flow.predict(fine, [0.0])[0].flatten(0, 1), f0(fine.points()), loosen=1e4)
    for t in (0.02, 5.0, inf):
        expected = by_dense_formula(kernel, train.points(), y, fine.points(), t, f0)
        assert relative(flow.predict(fine, [t])[0].flatten(0, 1), expected) < FIGURE


def test_loss_is_that_of_the_predictions_and_falls() -> None:
    kernel, train = gaussian(2), Grid((8, 6))[::2, ::2]
    y, times = randn(4, 3, 2), [0.0, 1e-3, 0.1, 10.0, inf]
    flow = GradientFlow(kernel, train, y)
    losses = flow.loss(times)
    direct = 0.5 * (flow.predict(train, times) - y).square().flatten(1).sum(1)
    assert float((losses - direct).abs().max() / losses[0]) < FIGURE
    assert bool((losses.diff() < 0).all())
    assert abs(float(losses[0]) - 0.5 * float(y.square().sum())) < FIGURE * float(losses[0])


def test_loss_falls_at_the_rate_of_the_gradients_square() -> None:
    """`dL/dt = -r^T K r`, by a central difference."""
    kernel, x, y, h = gaussian(2), randn(10, 2), randn(10), 1e-4
    flow = GradientFlow(kernel, x, y)
    before, after = flow.loss([0.2 - h, 0.2 + h])
    r = flow.solution([0.2]).decay[0, 0]
    assert abs(float((after - before) / (2 * h) + r @ kernel(x) @ r)) < 1e-6 * float(
        r @ kernel(x) @ r
    )


def test_targets_in_any_layout_are_the_same_problem() -> None:
    kernel, train = gaussian(2), Grid((4, 3))
    y = randn(4, 3, 2)
    in_grid = GradientFlow(kernel, train, y).predict(train, [1.0])
    flat = GradientFlow(kernel, train, y.flatten(0, 1)).predict(train, [1.0])
    assert torch.equal(in_grid, flat)
    one = GradientFlow(kernel, train, y[..., 0]).predict(train, [1.0])
    assert one.shape == (1, 4, 3)
    assert_near(one, in_grid[..., 0], loosen=1e4)  # to the tolerance of the series


def test_single_precision_targets_and_recurrence() -> None:
    kernel, train, fine = gaussian(2), Grid((8, 6))[::2, ::2], Grid((8, 6))
    y = randn(12).float()
    flow = GradientFlow(kernel, train, y, dtype=torch.float32)
    prediction = flow.predict(fine, [0.5])[0]
    assert prediction.dtype == torch.float32
    expected = by_dense_formula(kernel, train.points(), y.double(), fine.points(), 0.5)
    assert relative(prediction.flatten().double(), expected) < 1e-5


def test_asking_again_costs_nothing() -> None:
    steps: list[int] = []
    train = Grid((8, 6))[::2, ::2]
    flow = GradientFlow(gaussian(2), train, randn(12), on_step=lambda: steps.append(1))
    first = flow.solution([1.0])
    count = len(steps)
    assert count > 0
    assert torch.equal(flow.solution(torch.tensor([1.0])).weights, first.weights)
    assert len(steps) == count


TRAIN = Grid((8, 6))[::2, ::2]


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda k: GradientFlow(k, TRAIN, randn(5)), ValueError, r"`y` has shape \(5,\), but the"),
        (lambda k: GradientFlow(k, TRAIN, randn(12, 2, 2)), ValueError, "one more axis may follow"),
        (lambda k: GradientFlow(k, TRAIN, randn(12) / 0), ValueError, "`y` has 12 NaN or infinite"),
        (lambda k: GradientFlow(k, TRAIN, torch.ones(12).int()), TypeError, "must be float32 or"),
        (
            lambda k: GradientFlow(k, TRAIN, randn(12), dtype=torch.float16),
            TypeError,
            "`dtype=torch.float16` must be torch.float32 or torch.float64",
        ),
        (
            lambda k: GradientFlow(k, TRAIN, randn(12), tolerance=0.0),
            ValueError,
            "`tolerance=0.0` must be a finite number above 0",
        ),
        (
            lambda k: GradientFlow(k, TRAIN, randn(12)).predict(TRAIN, [-1.0]),
            ValueError,
            "`times=-1.0` must be 0 or more",
        ),
        (
            lambda k: GradientFlow(k, TRAIN, randn(12)).predict(TRAIN, []),
            ValueError,
            "`times` is empty",
        ),
        (
            lambda k: GradientFlow(k, TRAIN, randn(12)).predict(Grid((7, 5)), [1.0]),
            ValueError,
            "does not divide",
        ),
        (
            lambda k: GradientFlow(k, randn(12, 2), randn(12)).predict(randn(4, 2).numpy(), [1.0]),
            TypeError,
            r"`points` must be a Grid or a torch\.Tensor, got ndarray",
        ),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call(gaussian(2))
