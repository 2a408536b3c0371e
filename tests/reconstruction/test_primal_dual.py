"""The whole problem: against closed forms, against a general optimiser, and by its conditions of optimality."""

from dataclasses import replace
from math import pi, prod

import numpy as np
import pytest
import torch
from torch import Tensor

from ntkit import Grid
from ntkit.kernels import Matern
from ntkit.measurements import AbstractMeasurement, Blur, Fourier, Matrix, Radon, Samples
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior, torus_prior
from ntkit.reconstruction.variation import differences, differences_adjoint
from tests.cases import randn, seeded
from tests.reconstruction.test_system import by_columns
from tests.tolerances import relative_error

LINES = Radon.parallel((8, 7), torch.arange(4) * pi / 4, n_detectors=11)
COILS = Fourier(
    (6, 5), torch.rand(6, 5, generator=seeded()) > 0.4, randn(2, 6, 5, dtype=torch.complex128)
)
CASES = {
    "radon": LINES,
    "samples": Samples.every_other((9, 6)),
    "blur": Blur((9, 8), 0.5),
    "volume": Samples.every((4, 3, 5), 2),
    "coils": COILS,
}
EACH = pytest.mark.parametrize("A", CASES.values(), ids=list(CASES))


def system_of(A: AbstractMeasurement, *, weighted: bool = False) -> System:
    count = prod(A.data_shape)
    weights = 0.1 + torch.rand(count, generator=seeded(3), dtype=torch.float64)
    return System(A, weights if weighted else None, torch.arange(count) % 3)


def prior_of(A: AbstractMeasurement) -> TorusPrior:
    return torus_prior(Matern(0.5, 0.2), Grid(A.field_shape))


def terms_of(system: System, prior: TorusPrior, count: int = 1, **changed: object) -> Terms:
    one = torch.ones(count, dtype=torch.float64)
    keep = torch.ones(count, 1, system.n_data, dtype=torch.float64)
    terms = Terms(keep, 0.1 * one, 0 * one, prior.spectrum, 0.0, None)
    return replace(terms, **changed)  # pyright: ignore[reportArgumentType]


def data_of(system: System, parts: int) -> Tensor:
    """Of a field about a third, a third of it noise."""
    field = 0.3 + 0.2 * randn(1, parts, *system.measurement.field_shape, seed=5)
    y = system.forward(field)[0]
    return y + 0.3 * y.std() * randn(*y.shape, seed=6)


def method_of(system: System, y: Tensor, scale: float = 1.0) -> PrimalDual:
    return PrimalDual(system, y, scale=scale, ridge=0.1, dtype=torch.float64)


def solved(method: PrimalDual, terms: Terms, start: State | None = None) -> Tensor:
    state = method.solve(terms, start=start, tolerance=1e-8, iterations=1500)
    return method.field(state, terms)


def matrix_of(prior: TorusPrior, parts: int) -> Tensor:
    shape = prior.torus.shape
    unit = torch.eye(prod(shape), dtype=torch.float64).reshape(-1, *shape)
    return torch.block_diag(*[prior.covariance(unit).flatten(1)] * parts)


def test_the_mean_of_problems_that_leave_data_out_is_near_the_whole() -> None:
    """Half as far as they are on average, and iterations go on from it."""
    system, prior = system_of(LINES), prior_of(LINES)
    y = data_of(system, 1)
    method = method_of(system, y)
    parts = torch.stack([(torch.arange(system.n_data) % 3 != k).double() for k in range(3)])
    terms = terms_of(system, prior, 3, keep=parts[:, None], variation=0.1 * torch.ones(3).double())
    state = method.solve(terms, tolerance=1e-8, iterations=1500)
    one = terms_of(system, prior, variation=0.1 * torch.ones(1).double())
    end = solved(method, one)
    mean = state.of_all_data()
    apart = float((method.field(mean, one) - end).norm())
    assert apart < 0.5 * float((method.field(state, terms) - end).flatten(1).norm(dim=1).mean())
    warm = method.solve(one, start=mean, tolerance=0.0, iterations=20)
    cold = method.solve(one, tolerance=0.0, iterations=20)
    left, from_afar = (float((method.field(s, one) - end).norm()) for s in (warm, cold))
    assert left < 0.5 * from_afar


@EACH
def test_the_kernel_alone_is_the_closed_form(A: AbstractMeasurement) -> None:
    """`m + K A^H (A K A^H + a)^-1 (y - A m)`; of complex fields the mean is the real part's."""
    system, prior, parts = system_of(A, weighted=True), prior_of(A), 2 if A.is_complex else 1
    y, matrix, K = data_of(system, parts), by_columns(system), matrix_of(prior, parts)
    found = solved(method_of(system, y), terms_of(system, prior, mean=0.7))[0]
    mean = torch.zeros(parts, prod(A.field_shape), dtype=torch.float64)
    mean[0] = 0.7
    gram = matrix @ K @ matrix.T + 0.1 * torch.eye(len(matrix)).double()
    rest = y.flatten() - matrix @ mean.flatten()
    expected = mean.flatten() + K @ matrix.T @ torch.linalg.solve(gram, rest)
    assert relative_error(found.flatten(), expected) < 1e-5


@pytest.mark.parametrize(
    ("bounds", "variation"),
    [(None, 0.1), ((-0.2, 0.3), 0.1), ((0.1, None), 0.1), ((None, 0.5), 0.0)],
    ids=str,
)
def test_a_line_of_points_by_a_general_optimiser(
    bounds: tuple[float | None, float | None] | None, variation: float
) -> None:
    """Twelve points and eleven lengths of differences, as a quadratic program."""
    n = 12
    A = Matrix(randn(10, n))
    system, prior = system_of(A), torus_prior(Matern(0.5, 0.2), Grid(n))
    y = data_of(system, 1)
    found = solved(
        method_of(system, y),
        terms_of(
            system, prior, variation=torch.tensor([variation]).double(), bounds=bounds, mean=0.3
        ),
    )[0, 0].numpy()
    matrix, precision = by_columns(system).numpy(), np.linalg.inv(matrix_of(prior, 1).numpy())
    data = y[0].numpy()

    def value(f: np.ndarray, lengths: np.ndarray) -> float:
        misfit = 0.5 * np.sum((matrix @ f - data) ** 2)
        return misfit + 0.05 * (f - 0.3) @ precision @ (f - 0.3) + variation * lengths.sum()

    def slope(z: np.ndarray) -> np.ndarray:
        f = z[:n]
        pull = matrix.T @ (matrix @ f - data) + 0.1 * precision @ (f - 0.3)
        return np.concatenate([pull, np.full(n - 1, variation)])

    rise, unit = np.diff(np.eye(n), axis=0), np.eye(n - 1)
    optimize = pytest.importorskip("scipy.optimize")
    above = optimize.LinearConstraint(np.block([[-rise, unit], [rise, unit]]), 0, np.inf)
    low, high = bounds or (None, None)
    ends = [(low, high)] * n + [(0.0, None)] * (n - 1)
    start = np.clip(np.zeros(n), low, high)
    best = optimize.minimize(
        lambda z: value(z[:n], z[n:]),
        np.concatenate([start, np.zeros(n - 1)]),
        jac=slope,
        bounds=ends,
        constraints=above,
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    if low is not None:
        assert found.min() >= low
    if high is not None:
        assert found.max() <= high
    own = value(found, np.abs(np.diff(found)))
    assert own <= best.fun + 1e-6 * abs(best.fun)
    assert np.abs(found - best.x[:n]).max() < 1e-3


@pytest.mark.parametrize(
    ("A", "bounds"),
    [(LINES, None), (LINES, (0.2, 0.4)), (CASES["volume"], (0.2, 0.4)), (COILS, None)],
    ids=["radon", "radon in bounds", "volume in bounds", "coils"],
)
def test_optimality(A: AbstractMeasurement, bounds: tuple[float, float] | None) -> None:
    """`a K^-1 (f - m) = -(A^H d + D^T s + c)` with each dual variable where its term has its slope."""
    system, prior, parts = system_of(A, weighted=True), prior_of(A), 4 if A.is_complex else 2
    y, scale, b, ndim = data_of(system, parts), 3.0, 0.004, len(A.field_shape)
    terms = terms_of(system, prior, variation=torch.tensor([b]).double(), bounds=bounds)
    method = method_of(system, y, scale)
    state = method.solve(terms, tolerance=1e-9, iterations=3000)
    field = method.field(state, terms)
    data, slopes, bound = scale * state.data, scale * state.slopes, scale * state.bound
    pull = system.adjoint(data) + differences_adjoint(slopes) + bound
    assert relative_error(field, -prior.covariance(pull) / 0.1) < 1e-5
    assert relative_error(data, system.forward(field) - y) < 1e-5
    lengths = slopes.square().sum((0, 2)).sqrt()
    assert float(lengths.max()) <= b * (1 + 1e-6)
    steep = differences(field, ndim)
    variation = float(steep.square().sum((0, 2)).sqrt().sum())
    assert variation > 0.1
    assert float((slopes * steep).sum()) == pytest.approx(b * variation, rel=1e-5)
    if bounds:
        inside = (field > 0.2 + 1e-6) & (field < 0.4 - 1e-6)
        assert 0.1 < float(inside.double().mean()) < 0.9
        assert float(bound[inside].abs().max()) < 1e-5
        assert not bool(((field <= 0.2) & (bound > 1e-5)).any())
        assert not bool(((field >= 0.4) & (bound < -1e-5)).any())
    else:
        assert float(bound.abs().max()) == 0


def test_several_problems_are_each_as_alone() -> None:
    system, prior = system_of(LINES), prior_of(LINES)
    y = data_of(system, 2)
    keep = torch.stack([(system.group != k).double() for k in range(3)])[:, None]
    weight, variation = (
        torch.tensor([0.1, 0.5, 0.0]).double(),
        torch.tensor([0.2, 0.0, 0.1]).double(),
    )
    terms = Terms(keep, weight, variation, prior.spectrum, 0.2, (0.0, None))
    together = solved(method_of(system, y), terms)
    for k in range(3):
        own = slice(k, k + 1)
        alone = Terms(keep[own], weight[own], variation[own], prior.spectrum, 0.2, (0.0, None))
        assert relative_error(together[own], solved(method_of(system, y), alone)) < 1e-5


def test_without_a_kernel_it_is_least_squares_with_total_variation() -> None:
    """A spectrum of no use is not looked at; with one, a weight of zero is none."""
    system, prior = system_of(CASES["blur"]), prior_of(CASES["blur"])
    y, none = data_of(system, 1), torch.zeros(1).double()
    terms = terms_of(system, prior, weight=none, variation=none + 0.3)
    found = solved(method_of(system, y), terms)
    assert relative_error(solved(method_of(system, y), replace(terms, spectrum=None)), found) < 1e-6
    flat = solved(method_of(system, y), replace(terms, variation=none + 1e4))
    assert float(flat.std()) < 1e-6
    whole = by_columns(system).sum(1)
    assert float(flat.mean()) == pytest.approx(float(whole @ y[0] / (whole @ whole)), rel=1e-6)


def test_held_out_data_do_not_matter() -> None:
    system, prior = system_of(LINES), prior_of(LINES)
    y, keep = data_of(system, 1), (system.group != 1).double()[None, None]
    terms = terms_of(system, prior, keep=keep, variation=torch.tensor([0.1]).double())
    other = torch.where(system.group == 1, 100 * randn(1, system.n_data, seed=2), y)
    found = solved(method_of(system, y), terms)
    assert torch.equal(found, solved(method_of(system, other), terms))
    kept = torch.arange(system.n_data)[system.group != 1]
    fewer = Matrix(by_columns(system)[kept], LINES.field_shape)
    alone = solved(
        method_of(system_of(fewer), y[:, kept]),
        terms_of(system_of(fewer), prior, variation=terms.variation),
    )
    assert relative_error(found, alone) < 1e-6


def test_going_on_from_a_state_ends_at_the_same_place_sooner() -> None:
    system, prior = system_of(LINES), prior_of(LINES)
    y = data_of(system, 1)
    method = method_of(system, y)
    one = torch.ones(1).double()
    before = terms_of(system, prior, variation=0.2 * one, bounds=(0.0, None))
    after = before.with_variation(0.15 * one)
    near = method.solve(before, tolerance=1e-8, iterations=2000)
    cold = method.solve(after, tolerance=1e-8, iterations=2000)
    warm = method.solve(after, start=near, tolerance=1e-8, iterations=2000)
    assert warm.iterations < cold.iterations
    assert relative_error(method.field(warm, after), method.field(cold, after)) < 1e-4
    stopped = method.solve(after, start=cold, tolerance=1e-7, iterations=500)
    assert stopped.iterations == 10


def test_steps_are_counted_and_running_out_is_told() -> None:
    system, prior, steps = system_of(LINES), prior_of(LINES), []
    method = method_of(system, data_of(system, 1))
    terms = terms_of(system, prior)
    state = method.solve(terms, tolerance=0.0, iterations=7, on_step=lambda: steps.append(1))
    assert (state.iterations, len(steps)) == (7, 7)
    assert state.change > 1e-6


@EACH
def test_the_change_is_of_the_field_on_the_grid(A: AbstractMeasurement) -> None:
    """From one iteration to the next, of the problem that changes most."""
    system, prior, parts = system_of(A), prior_of(A), 2 if A.is_complex else 1
    method = method_of(system, data_of(system, parts))
    weight = torch.tensor([0.1, 0.5]).double()
    terms = terms_of(system, prior, 2, weight=weight, variation=0.02 / weight)
    before = method.solve(terms, tolerance=0.0, iterations=12)
    after = method.solve(terms, start=before, tolerance=0.0, iterations=1)
    old, new = method.field(before, terms).flatten(1), method.field(after, terms).flatten(1)
    expected = ((new - old).norm(dim=1) / new.norm(dim=1)).max()
    assert after.change == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("size", [1e-20, 1e-3, 1e20])
def test_the_field_is_as_large_as_the_data(size: float) -> None:
    """In single precision, where squares of such numbers do not exist."""
    system, prior = system_of(LINES), prior_of(LINES)
    y, one = data_of(system, 1), torch.ones(1).double()
    terms = terms_of(system, prior, variation=0.1 * one, bounds=(0.0, 0.3), mean=0.1)
    scaled = replace(terms, variation=0.1 * size * one, bounds=(0.0, 0.3 * size), mean=0.1 * size)
    fields = []
    for each, unit in ((terms, 1.0), (scaled, size)):
        method = PrimalDual(system, unit * y, scale=0.5 * unit, ridge=0.1)
        state = method.solve(each, tolerance=1e-6, iterations=3000)
        fields.append(method.field(state, each) / unit)
    assert relative_error(fields[1], fields[0]) < 1e-4


def test_bounds_hold_to_the_last_digit() -> None:
    """A third is no number of single precision, nor of double precision; it is the same one in both."""
    system, prior = system_of(LINES), prior_of(LINES)
    method = PrimalDual(system, data_of(system, 1), scale=0.7, ridge=0.1)
    terms = terms_of(system, prior, bounds=(-1 / 3, 1 / 3))
    state = method.solve(terms, iterations=1)
    field = method.field(replace(state, waves=100 * randn(*state.waves.shape)), terms)
    assert float(field.min()) == -1 / 3
    assert float(field.max()) == 1 / 3
