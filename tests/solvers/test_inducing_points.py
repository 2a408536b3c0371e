"""Regression on a few centres against the dense normal equations, and against all points."""

from pathlib import Path
from typing import Any

import pytest
import torch

import ntkit
from ntkit import Grid, encodings, ntk
from ntkit._core.errors import NumericalError
from ntkit._core.executor import Executor
from ntkit.kernels import RBF, Laplace, Linear
from ntkit.scale import Threads
from ntkit.solvers import ConjugateGradients, InducingPoints, kernel_ridge, solve
from ntkit.solvers.inducing_system import InducingSystem
from ntkit.solvers.normal_equations import normal_equations, rows_that_pay
from tests.cases import layered, randn
from tests.tolerances import assert_near, relative_error

X, TEST = randn(300, 3), randn(20, 3)
Y = torch.stack([X.sin().sum(1), X[:, 0] * X[:, 1]], 1)
KERNELS = [Laplace(2.0), ntk(layered(encodings.Identity(3)))]


class Spread(Executor):
    """Every piece by itself, last ones first, as if elsewhere."""

    shares_memory = True

    def share(self, value: Any) -> Any:
        return value

    def map(self, work: Any, items: Any, *shared: Any) -> Any:
        yield from reversed([work(item, *shared) for item in reversed(list(items))])


class Negative(RBF):
    """No kernel, and one of whole numbers."""

    def __call__(self, x1: torch.Tensor, x2: torch.Tensor | None = None) -> torch.Tensor:
        return -super().__call__(x1.double(), None if x2 is None else x2.double())


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with many centres: the preconditioner is of a sample of the rows."""
    monkeypatch.setattr("ntkit.solvers.normal_equations._WHOLE", 0)


def dense(kernel: Any, centres: torch.Tensor, ridge: float, w: torch.Tensor) -> torch.Tensor:
    """Predictions at the test points by the normal equations themselves."""
    tall, square = kernel(X, centres).double(), kernel(centres).double()
    matrix = tall.T @ (w[:, None] * tall) + ridge * square
    return kernel(TEST, centres).double() @ torch.linalg.solve(matrix, tall.T @ (w[:, None] * Y))


@pytest.mark.parametrize("kernel", KERNELS, ids=repr)
@pytest.mark.parametrize("ridge", [0.03, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_dense_least_squares_problem(kernel, ridge: float, weighted: bool) -> None:
    centres = X[:40]
    weights = randn(300).abs() if weighted else None
    fit = kernel_ridge(
        kernel, X, Y, ridge=ridge, method=InducingPoints(centres), tolerance=1e-10,
        sample_weights=weights,
    )  # fmt: skip
    whole = torch.ones(300).double() if weights is None else weights
    assert fit.solution.converged
    assert fit.solution.residual <= 1e-10
    assert relative_error(fit.predict(TEST), dense(kernel, centres, ridge, whole)) < 1e-7


@pytest.mark.parametrize("weighted", [False, True])
def test_with_every_point_a_centre_it_is_the_full_solve(weighted: bool) -> None:
    weights = randn(300).abs() if weighted else None
    options: dict[str, Any] = {"ridge": 0.3, "tolerance": 1e-11, "sample_weights": weights}
    whole = kernel_ridge(KERNELS[0], X, Y, **options)
    few = kernel_ridge(KERNELS[0], X, Y, method=InducingPoints(X), **options)
    assert_near(few.predict(TEST), whole.predict(TEST), loosen=1e6)
    if not weighted:
        weights_of = solve(KERNELS[0](X), Y, ridge=0.3).x
        assert_near(whole.predict(TEST), KERNELS[0](TEST, X) @ weights_of, loosen=1e6)


def test_one_more_centre_never_loses() -> None:
    """The least of the objective over a larger space is no greater."""

    def objective(m: int) -> float:
        fit = kernel_ridge(
            RBF(1.0), X, Y[:, 0], ridge=0.1, method=InducingPoints(X[:m]), tolerance=1e-9
        )
        a, square = fit.solution.x, RBF(1.0)(X[:m])
        return float((fit.predict(X) - Y[:, 0]).square().sum() + 0.1 * a @ square @ a)

    found = [objective(m) for m in (5, 20, 80)]
    assert found[0] > found[1] > found[2]


def test_drawn_centres_are_points_and_beat_the_first_ones() -> None:
    x = torch.cat([0.01 * randn(280, 3), randn(20, 3)])  # a crowd, and a few that matter
    y = x.sin().sum(1)
    drawn = kernel_ridge(RBF(1.0), x, y, ridge=1e-3, method=InducingPoints(15))
    first = kernel_ridge(RBF(1.0), x, y, ridge=1e-3, method=InducingPoints(x[:15]))
    assert isinstance(drawn.points, torch.Tensor)
    assert len(drawn.points) == 15
    assert bool((drawn.points[:, None] == x).all(-1).any(1).all())
    assert (drawn.predict(x) - y).norm() < (first.predict(x) - y).norm() / 3
    for words in ("15 centres by randomly pivoted Cholesky", "by all 300 rows", "no jitter"):
        assert words in drawn.solution.why


def test_centres_given_twice_cost_a_jitter_that_is_reported() -> None:
    fit = kernel_ridge(RBF(1.0), X, Y, ridge=0.1, method=InducingPoints(X[:20].repeat(2, 1)))
    once = kernel_ridge(RBF(1.0), X, Y, ridge=0.1, method=InducingPoints(X[:20]))
    assert "jitter" in fit.solution.why
    assert "no jitter" not in fit.solution.why
    assert relative_error(fit.predict(TEST), once.predict(TEST)) < 1e-6


@pytest.mark.usefixtures("sampled")
def test_the_preconditioner_of_a_sample_pays() -> None:
    """A digit for some two passes by the law of Marchenko and Pastur, whatever the ridge and the number of points."""
    for n, ridge in ((1000, 1e-2), (4000, 1e-2), (4000, 10.0)):
        x = randn(n, 3)
        fit = kernel_ridge(RBF(1.0), x, x.sin(), ridge=ridge, method=InducingPoints(60))
        assert fit.solution.iterations <= 18
        assert f"by 480 of {n:,} rows" in fit.solution.why
    system = InducingSystem(RBF(1.0), x, x[:60], sample_weights=None, executor=Threads())
    rhs = system.targets(x.sin().T).T
    plain = solve(system, rhs, ridge=1e-2, tolerance=1e-6, method=ConjugateGradients())
    assert plain.iterations > 2 * 18


def test_of_all_rows_one_pass_is_enough() -> None:
    """To what rounding leaves, by another pass that measures it."""
    for ridge in (1e-6, 1e-2, 10.0):
        fit = kernel_ridge(RBF(1.0), X, Y, ridge=ridge, method=InducingPoints(60), tolerance=1e-9)
        assert fit.solution.iterations <= 2
        assert fit.solution.converged


@pytest.mark.parametrize("weighted", [False, True])
def test_a_pass_over_all_rows_and_a_sample_give_one_solution(
    monkeypatch: pytest.MonkeyPatch, weighted: bool
) -> None:
    w = randn(300).abs() if weighted else None
    method = InducingPoints(X[:30])
    options: dict[str, Any] = {"ridge": 0.3, "tolerance": 1e-12, "sample_weights": w}
    passed = kernel_ridge(KERNELS[0], X, Y, method=method, **options)
    monkeypatch.setattr("ntkit.solvers.normal_equations._WHOLE", 0)
    iterated = kernel_ridge(KERNELS[0], X, Y, method=method, **options)
    assert passed.solution.iterations <= 2 < 6 <= iterated.solution.iterations
    assert relative_error(passed.predict(TEST), iterated.predict(TEST)) < 1e-10
    whole = torch.ones(300).double() if w is None else w
    assert relative_error(passed.predict(TEST), dense(KERNELS[0], X[:30], 0.3, whole)) < 1e-10


def test_a_wrong_matrix_is_seen_and_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """The residual is one of products, so a matrix that is off costs passes, not digits."""

    def wrong(*given: Any, **options: Any) -> Any:
        matrix, targets = normal_equations(*given, **options)
        return matrix + torch.diag(torch.linspace(0, 300, len(matrix)).double()), targets

    options: dict[str, Any] = {"ridge": 0.3, "tolerance": 1e-11}
    right = kernel_ridge(KERNELS[0], X, Y, method=InducingPoints(X[:30]), **options)
    monkeypatch.setattr("ntkit.solvers.inducing_points.normal_equations", wrong)
    mended = kernel_ridge(KERNELS[0], X, Y, method=InducingPoints(X[:30]), **options)
    assert mended.solution.iterations > 5
    assert relative_error(mended.predict(TEST), right.predict(TEST)) < 1e-9
    with pytest.warns(RuntimeWarning, match="`solve` reached a relative residual of"):
        method = InducingPoints(X[:30], max_iterations=1)
        short = kernel_ridge(KERNELS[0], X, Y, method=method, **options)
    assert not short.solution.converged
    assert short.solution.residual > 1e-3


def test_points_in_float32_and_kernels_that_are_not_finite() -> None:
    x = X.float()
    fit = kernel_ridge(RBF(1.0), x, Y.float(), ridge=0.1, method=InducingPoints(x[:20]))
    wide = kernel_ridge(RBF(1.0), X, Y, ridge=0.1, method=InducingPoints(X[:20]))
    assert fit.solution.converged
    assert relative_error(fit.predict(TEST.float()), wide.predict(TEST)) < 1e-4
    far = torch.cat([X[:-1], 1e200 * X[-1:]])
    with pytest.raises(NumericalError, match="`kernel` of the points with the centres"):
        kernel_ridge(Linear(), far, Y, ridge=0.1, method=InducingPoints(X[:2]))


def test_more_centres_than_points_and_few_of_either() -> None:
    for n, m in ((5, 40), (1, 1), (3, 2)):
        fit = kernel_ridge(RBF(1.0), X[:n], Y[:n], ridge=0.1, method=InducingPoints(X[:m]))
        assert fit.solution.converged
        whole = kernel_ridge(RBF(1.0), X[:n], Y[:n], ridge=0.1)
        if m >= n:
            assert relative_error(fit.predict(X[:n]), whole.predict(X[:n])) < 1e-6


def test_rows_that_pay() -> None:
    assert [rows_that_pay(n, m) for n, m in ((10, 4), (10**6, 4000), (10**6, 4001), (5000, 10**4))] == [
        10, 10**6, 32_008, 5000
    ]  # fmt: skip


def test_pieces_in_any_place_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ntkit.solvers.inducing_system._TILE_BYTES", 8 * 40 * 3)  # 100 tiles
    options: dict[str, Any] = {"ridge": 0.1, "method": InducingPoints(X[:40])}
    one = kernel_ridge(RBF(1.0), X, Y, **options)
    for executor in (Threads(2), Spread()):
        other = kernel_ridge(RBF(1.0), X, Y, executor=executor, **options)
        assert_near(other.solution.x, one.solution.x)
        if torch.get_num_threads() == 1:
            assert torch.equal(other.solution.x, one.solution.x)


def test_dtype_and_shape_follow_the_values_and_points_may_be_a_grid() -> None:
    grid = Grid((12, 10))
    y = grid.points().sum(1).float()
    for method in (InducingPoints(30), ConjugateGradients()):
        fit = kernel_ridge(RBF(0.5), grid, y, ridge=0.01, method=method, tolerance=1e-4)
        found = fit.predict(grid)
        assert (found.dtype, found.shape) == (torch.float32, y.shape)
        assert relative_error(found, y) < 0.05


@pytest.mark.usefixtures("sampled")
def test_running_out_of_passes_is_told() -> None:
    with pytest.warns(RuntimeWarning, match="`solve` reached a relative residual of"):
        fit = kernel_ridge(
            RBF(0.5), X, Y, ridge=1e-6, method=InducingPoints(X[:20], max_iterations=2)
        )
    assert not fit.solution.converged
    assert fit.solution.iterations == 2


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="`centres=0` must be at least 1"):
        InducingPoints(0)
    with pytest.raises(ValueError, match="`centres` has no point"):
        InducingPoints(X[:0])
    with pytest.raises(ValueError, match=r"`y` has 20 rows, and there are 300 points"):
        kernel_ridge(RBF(1.0), X, Y[:20], ridge=0.1)
    with pytest.raises(ValueError, match=r"`ridge=-1\.0` must be 0 or more"):
        kernel_ridge(RBF(1.0), X, Y, ridge=-1.0)
    with pytest.raises(ValueError, match="`sample_weights` must be 300 numbers"):
        kernel_ridge(RBF(1.0), X, Y, ridge=0.1, sample_weights=X[:5, 0])
    system = InducingSystem(RBF(1.0), X, X[:4], sample_weights=None, executor=Threads())
    assert_near(system.diagonal(), system.dense().diagonal())
    with pytest.raises(ValueError, match=r"`centres` are points of shape \(2,\).* of \(3,\)"):
        kernel_ridge(RBF(1.0), X, Y, ridge=0.1, method=InducingPoints(X[:5, :2]))
    with pytest.raises(ValueError, match="computed in float64"):
        system.to(torch.float32)

    with pytest.raises(ValueError, match="`points` is empty"):
        kernel_ridge(RBF(1.0), X[:0], Y[:0], ridge=0.1, method=InducingPoints(5))
    with pytest.raises(NumericalError, match="`kernel` is zero at all points"):
        kernel_ridge(Linear(), 0 * X, Y, ridge=0.1, method=InducingPoints(5))
    with pytest.raises(ValueError, match=r"`kernel\(centres, centres\)` has 4 NaN"):
        kernel_ridge(Linear(), X, Y, ridge=0.1, method=InducingPoints(1e200 * X[:2]))
    with pytest.raises(NumericalError, match=r"`kernel\(centres, centres\)` is not positive"):
        kernel_ridge(Negative(1.0), X, Y, ridge=0.1, method=InducingPoints(X[:5]))
    with pytest.raises(TypeError, match=r"`centres` are of torch.float64.* of torch.int64"):
        kernel_ridge(Negative(1.0), X.long(), Y, ridge=0.1, method=InducingPoints(X[:5]))


def test_no_values_have_no_weights() -> None:
    fit = kernel_ridge(RBF(1.0), X, Y[:, :0], ridge=0.1, method=InducingPoints(5))
    assert fit.solution.converged
    assert fit.predict(TEST).shape == (20, 0)


def test_centres_that_single_precision_does_not_tell_apart() -> None:
    x, centres = X.float(), X.float()[:150]  # 150 smooth functions: most are lost in rounding
    fit = kernel_ridge(RBF(3.0), x, Y, ridge=0.1, method=InducingPoints(centres))
    exact = kernel_ridge(RBF(3.0), X, Y, ridge=0.1)
    assert fit.solution.converged
    assert relative_error(fit.predict(TEST.float()), exact.predict(TEST)) < 0.01


def test_the_regressor_takes_it() -> None:
    pytest.importorskip("sklearn")
    from ntkit.estimators import NTKRegressor  # an extra

    method = InducingPoints(60)
    model = NTKRegressor(kernel=RBF(1.0), ridge=0.1, method=method).fit(X.numpy(), Y.numpy())
    fit = kernel_ridge(RBF(1.0), X, Y, ridge=0.1, method=method)
    assert_near(torch.from_numpy(model.predict(TEST.numpy())), fit.predict(TEST), loosen=100)
    with pytest.raises(ValueError, match="A spread is that of the exact posterior"):
        model.predict(TEST.numpy(), return_std=True)
    with pytest.raises(ValueError, match=r"`method=.*` solves a linear system"):
        NTKRegressor(kernel=RBF(1.0), t=3.0, method=method).fit(X.numpy(), Y.numpy())
    assert ntkit.estimators.NTKClassifier(method=method).get_params()["method"] is method


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_method_executor_or_folder_is_named(tmp_path: Path) -> None:
    for wrong in ("cg", ConjugateGradients, InducingPoints(5)):
        with pytest.raises(
            TypeError, match=r"`method` must be .*`InducingPoints` is for `kernel_ridge`"
        ):
            solve(ntkit.gram(RBF(1.0), X), Y, ridge=0.1, method=wrong)  # pyright: ignore[reportArgumentType]
    for door in (ntkit.gram, ntkit.empirical_ntk(torch.nn.Linear(3, 1).double()).features):
        given = (RBF(1.0), X) if door is ntkit.gram else (X,)
        with pytest.raises(
            TypeError, match=r"`executor` must have .*, got str. Pass `ntkit.scale.Threads"
        ):
            door(*given, executor="dask")  # pyright: ignore[reportArgumentType, reportCallIssue]
