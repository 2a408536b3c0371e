"""Sweeps over bandwidths: the table of `tune`, and fields that have the errors it says."""

from math import inf

import pytest
import torch

from ntkit import GradientFlow, ntk, tune
from ntkit.dynamics.modes import flow_trajectory
from ntkit.measurements import Samples
from ntkit.tasks import Budget, Signal, psnr
from ntkit.tuning import Candidate, NetworkPlan, rungs, sweep
from ntkit.tuning.problems import PeriodicProblem
from tests.cases import randn
from tests.tuning.test_problems import SIGNALS, network, times_of, whole_cycles

LADDER = [1.0, 3.0]


def plan_of(signal: Signal) -> NetworkPlan:
    return NetworkPlan(signal.in_dim, signal.n_outputs, width=32, depth=2, n_frequencies=24)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("name", ["line of channels", "rgb"])
def test_a_sweep_is_the_table_of_tune(name: str, optimiser: str) -> None:
    signal = SIGNALS[name]
    rate = {"adam": 1e-3, "sgd": 1e-2}[optimiser]
    rungs = sweep(signal, LADDER, budget=Budget(optimiser, rate, 60), plan=plan_of(signal))
    table = tune(
        signal, optimiser=optimiser, lr=rate, steps=60, encodings=["gaussian"], bandwidths=LADDER,
        width=32, depth=2, n_frequencies=24, engine="periodic", pilot=False,
    ).table  # fmt: skip
    for rung, row in zip(rungs, table, strict=True):
        assert rung.row.candidate == row.candidate
        for own, other in zip(rung.row.predictions, row.predictions, strict=True):
            assert own.steps == other.steps
            # Adam's flow steps all its problems together: sums of other lengths round in another order.
            assert own.held_out == pytest.approx(other.held_out, abs=1e-6)
            assert min(own.train, 120) == pytest.approx(min(other.train, 120), abs=1e-6)


@pytest.mark.parametrize(
    "candidate", [Candidate("gaussian", 3.0), Candidate("basic"), Candidate("identity")]
)
@pytest.mark.parametrize("name", SIGNALS)
def test_fields_have_the_predicted_errors(name: str, candidate: Candidate) -> None:
    signal = SIGNALS[name]
    (rung,) = rungs(signal, [candidate], budget=Budget(steps=60), plan=plan_of(signal))
    for said in rung.row.predictions:
        fitted, between = signal.errors(rung.field(said.steps))
        assert psnr(between) == pytest.approx(said.held_out, abs=1e-6)
        if said.steps < inf:
            assert psnr(fitted) == pytest.approx(said.train, abs=1e-6)


def test_rungs_are_the_table_of_tune_too() -> None:
    signal = SIGNALS["image"]
    tried = [Candidate("identity"), Candidate("basic"), Candidate("positional", 4.0)]
    found = rungs(signal, tried, budget=Budget("sgd", 1e-2, 60), plan=plan_of(signal))
    table = tune(
        signal, optimiser="sgd", lr=1e-2, steps=60, encodings=["identity", "basic", "gaussian"],
        bandwidths=[2.0], width=32, depth=2, n_frequencies=24, engine="periodic", pilot=False,
    ).table  # fmt: skip
    for rung, row in zip(found[:2], table[:2], strict=True):
        assert rung.row == row
    assert found[2].bandwidth == 4.0


def test_a_family_has_no_rung() -> None:
    signal = SIGNALS["image"]
    with pytest.raises(ValueError, match=r"siren 4.*which have no kernel"):
        rungs(signal, [Candidate("siren", 4.0)], budget=Budget(steps=9), plan=plan_of(signal))


@pytest.mark.parametrize("name", SIGNALS)
def test_fields_are_those_of_gradient_flow(name: str) -> None:
    signal = SIGNALS[name]
    net = network(whole_cycles(signal.in_dim), signal.n_outputs)
    problem = PeriodicProblem(net, signal.values)
    times = times_of(problem)
    lattice = signal.measurement.lattice
    flow = GradientFlow(ntk(net, variances="default"), signal.grid[lattice], signal.values[lattice])
    found = problem.learned(flow_trajectory(problem.modes, times))
    # Modes of nearly the same eigenvalue share a bin of 1.4 % of it.
    torch.testing.assert_close(found, flow.predict(signal.grid, times), atol=5e-3, rtol=0)


def test_where_all_is_trained_on_the_field_is_that_of_the_samples() -> None:
    signal = Signal(randn(32)).keep_out(0.0)
    (rung,) = sweep(signal, [2.0], budget=Budget(steps=30), plan=plan_of(signal))
    assert psnr(signal.errors(rung.field(30))[0]) == pytest.approx(rung.row.at(30).train, abs=1e-6)


def test_odd_axes_lose_their_last_sample() -> None:
    signal = Signal(randn(15, 16))
    (rung,) = sweep(signal, [2.0], budget=Budget(steps=30), plan=plan_of(signal))
    assert rung.field(inf).shape == (14, 16, 1)
    assert (rung.bandwidth, rung.steps) == (2.0, (1, 6, 30, inf))


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_other_moments_are_on_the_same_course(optimiser: str) -> None:
    signal = SIGNALS["image"]
    budget = Budget("adam" if optimiser == "adam" else "sgd", 1e-3, 60)
    (usual,) = sweep(signal, [3.0], budget=budget, plan=plan_of(signal))
    (other,) = sweep(
        signal, [3.0], budget=budget, plan=plan_of(signal), moments=[1, 3, 12, 40, 60, inf]
    )
    assert other.steps == (1, 3, 12, 40, 60, inf)
    for steps in (3, 12, 60, inf):
        assert other.row.at(steps) == usual.row.at(steps)
        torch.testing.assert_close(other.field(steps), usual.field(steps))


@pytest.mark.parametrize("moments", [[], [0, 1], [2, 2], [3, 1], [1.5], [inf, 5]])
def test_moments_that_make_no_sense_are_refused(moments: list[float]) -> None:
    signal = SIGNALS["image"]
    with pytest.raises(ValueError, match="whole steps"):
        sweep(signal, [3.0], budget=Budget(steps=60), plan=plan_of(signal), moments=moments)


def test_mistakes_are_refused() -> None:
    signal = Signal(randn(16))
    (rung,) = sweep(signal, [2.0], budget=Budget(steps=30), plan=plan_of(signal))
    with pytest.raises(ValueError, match="must be one of"):
        rung.field(31)
    with pytest.raises(ValueError, match="bandwidths"):
        sweep(signal, [0.0], budget=Budget(steps=30), plan=plan_of(signal))
    scattered = signal.train_on(*(torch.arange(16) % 3 == k for k in (0, 1)))
    assert isinstance(scattered.measurement, Samples)
    with pytest.raises(ValueError, match="samples on a grid"):
        sweep(scattered, [2.0], budget=Budget(steps=30), plan=plan_of(signal))
