"""From trajectories to decibels, and from Adam's steps to gradient-flow times."""

from math import inf, log10

import pytest
import torch
from torch import nn

from ntkit import GradientFlow, encodings, ntk, training_time
from ntkit.dynamics.modes import flow_trajectory
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal
from ntkit.tuning import predict
from ntkit.tuning.matching import longest_time, matching_times
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.problems import PeriodicProblem
from tests.cases import randn, seeded

SIGNAL = Signal(randn(16, 20).cumsum(0).cumsum(1) / 50)


def network(bandwidth: float = 2.0, *, integer: bool = True) -> nn.Sequential:
    encoding = encodings.Gaussian(2, 48, bandwidth, seeded(), integer=integer)
    return mlp(encoding, 1, width=32, depth=2, generator=seeded())


PROBLEM = PeriodicProblem(network(), SIGNAL.values)
TOP = float(PROBLEM.modes.eigenvalues.sum(0).max())


def test_matching_times_invert_the_training_error() -> None:
    times = [0.01 / TOP, 1 / TOP, 20 / TOP, 30 / TOP]
    decay = flow_trajectory(PROBLEM.modes, times).decay
    assert matching_times(PROBLEM.modes, decay) == pytest.approx(times, rel=1e-6)


@pytest.mark.parametrize("level", [1e-12, 0.0])
def test_matching_times_stop_where_nothing_more_is_seen(level: float) -> None:
    """The exact engine's cost grows with the root of the time, so errors of 1e-150 are not chased."""
    ones = torch.ones_like(PROBLEM.modes.energy)
    found = matching_times(PROBLEM.modes, level * ones[None])
    assert 0 < found[0] <= longest_time(PROBLEM.modes)
    reached = PROBLEM.modes.error(flow_trajectory(PROBLEM.modes, found).decay)
    start = PROBLEM.modes.error(ones)
    assert float(reached[0] / start) == pytest.approx(1e-8, rel=1e-3)


def test_exact_predictions_are_gradient_flow() -> None:
    """Frequencies of any size, no period: the errors of the predictions of `GradientFlow`."""
    net, times = network(integer=False), [1 / TOP, 100 / TOP]
    found = predict.exact_predictions(net, SIGNAL, times, [5, 50])
    y = SIGNAL.values[SIGNAL.measurement.lattice]
    kernel = ntk(net, variances="default")
    flow = GradientFlow(kernel, SIGNAL.grid[SIGNAL.measurement.lattice], y, structure="dense")
    for p, step, f in zip(found, [5, 50], flow.predict(SIGNAL.grid, times), strict=True):
        assert p.steps == step
        train, held_out = SIGNAL.errors(f)
        assert p.train == pytest.approx(-10 * log10(train), abs=1e-3)
        assert p.held_out == pytest.approx(-10 * log10(held_out), abs=1e-3)


def test_periodic_and_exact_agree_on_whole_cycles() -> None:
    times = [1 / TOP, 100 / TOP]
    exact = predict.exact_predictions(network(), SIGNAL, times, [1, 2])
    run = flow_trajectory(PROBLEM.modes, times)
    for a, b in zip(exact, predict.mode_predictions(PROBLEM, run, [1, 2]), strict=True):
        assert a.train == pytest.approx(b.train, abs=1e-3)
        assert a.held_out == pytest.approx(b.held_out, abs=1e-3)


def test_sgd_steps_have_an_exact_time() -> None:
    budget, steps = Budget("sgd", 0.01, 100), [10, 100, inf]
    run = optimiser_of(budget).trajectories([PROBLEM.modes], steps, speed=5.0)[0]
    times = [training_time(0.01, s, nn.MSELoss(), n_samples=80) for s in (10, 100)]
    assert torch.equal(run.decay, flow_trajectory(PROBLEM.modes, [*times, inf]).decay)


def test_adam_ends_where_gradient_flow_ends() -> None:
    """Without end, every path through function space that learns all modes interpolates."""
    budget = Budget("adam", 1e-3, 100)
    run = optimiser_of(budget).trajectories([PROBLEM.modes], [50, 3000, inf], speed=2.0)[0]
    end = flow_trajectory(PROBLEM.modes, [inf])
    assert torch.equal(run.weights[2], end.weights[0])
    gap = (run.weights[1] - end.weights[0]).abs().max()
    assert float(gap) > 0.01  # on the way the layers' shares differ from those of plain descent


def test_problems_of_different_depth_go_together() -> None:
    """Grouped by their number of layers, returned in the order given."""
    deep = mlp(network()[0], 1, width=32, depth=4, generator=seeded())
    modes = [PROBLEM.modes, PeriodicProblem(deep, SIGNAL.values).modes, PROBLEM.modes]
    budget = Budget("adam", 1e-3, 100)
    found = optimiser_of(budget).trajectories(modes, [50], speed=2.0)
    assert [len(r.weights[0]) for r in found] == [3, 5, 3]
    assert torch.equal(found[0].decay, found[2].decay)
