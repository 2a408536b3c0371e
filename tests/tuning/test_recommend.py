"""What is told on the way to a choice: in the end what `tune` says, with fields that have the predicted errors."""

import pytest
import torch

from ntkit import tune
from ntkit.tasks import Budget, Shape, Signal, psnr
from ntkit.tuning import Candidate, NetworkPlan, Stage, recommend
from ntkit.tuning.choice import Goal
from tests.cases import randn
from tests.tuning.test_problems import SIGNALS

BANDWIDTHS = [1.0, 2.0, 4.0, 8.0]


def asked(signal: Signal, *, goal: Goal = "generalise", width: int = 32) -> list[Stage]:
    plan = NetworkPlan(signal.in_dim, signal.n_outputs, width=width, depth=2, n_frequencies=24)
    stages: list[Stage] = []
    last = recommend(
        signal, stages.append, goal=goal, budget=Budget(steps=60), plan=plan, bandwidths=BANDWIDTHS
    )
    assert last is stages[-1]
    return stages


def photo() -> Signal:
    """Large enough for scale models, which need pieces of 64 training samples."""
    y, x = torch.meshgrid(torch.arange(112) / 112, torch.arange(112) / 112, indexing="ij")
    return Signal((0.5 + 0.3 * torch.sin(40 * x * y + 9 * x) + 0.02 * randn(112, 112)).clamp(0, 1))


@pytest.mark.parametrize("goal", ["generalise", "fit"])
def test_the_end_is_what_tune_says(goal: Goal) -> None:
    signal = photo()
    stages = asked(signal, goal=goal, width=48)
    whole = tune(
        signal, goal=goal, steps=60, bandwidths=BANDWIDTHS, width=48, depth=2, n_frequencies=24,
        families=("mlp",), engine="periodic",
    )  # fmt: skip
    last = stages[-1]
    assert last.is_whole
    assert last.models == whole.models != ()
    assert (last.choice, last.flat_range) == (whole.choice, whole.flat_range)
    assert last.table == whole.table
    shares = [stage.trained for stage in stages]
    assert shares == sorted(shares)
    assert shares[-2:] == [1.0, 1.0]
    assert [s.is_whole for s in stages[:-1]] == [False] * (len(stages) - 1)


def test_gaussian_encodings_are_told_of_first() -> None:
    first, second = asked(SIGNALS["rgb"])[:2]
    assert {row.candidate.name for row in first.table} == {"gaussian"}
    assert [row.candidate for row in second.table if row.candidate.name == "gaussian"] == [
        row.candidate for row in first.table
    ]
    for a, b in zip(first.table, second.table[-4:], strict=True):
        assert a.at(60).held_out == pytest.approx(b.at(60).held_out, abs=1e-6)


@pytest.mark.parametrize("name", ["rgb", "line of channels"])
def test_fields_have_the_predicted_errors(name: str) -> None:
    signal = SIGNALS[name]
    last = asked(signal)[-1]
    for row in last.table:
        found, said = last.field(row.candidate), row.at(60)
        if row.candidate.name == "identity":
            every = (slice(None, None, 2),) * signal.in_dim  # all of these are trained on
            error = ((found - signal.values[every]) ** 2).mean()
            assert psnr(float(error)) == pytest.approx(said.train, abs=0.01)
        else:
            assert psnr(signal.errors(found)[1]) == pytest.approx(said.held_out, abs=1e-6)


def test_whoever_is_told_may_end_it() -> None:
    def told(stage: Stage) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        recommend(SIGNALS["rgb"], told, budget=Budget(steps=60), plan=NetworkPlan(2, 3))


def test_what_has_no_answer_is_refused() -> None:
    last = asked(SIGNALS["rgb"])[-1]
    with pytest.raises(ValueError, match="none of those"):
        last.field(Candidate("gaussian", 3.0))
    shape = Shape((randn(64, 3), randn(64, 3)), n_points=64)
    with pytest.raises(ValueError, match="no kernel"):
        recommend(shape, lambda _: None, budget=Budget(steps=60), plan=NetworkPlan(3, 1))  # pyright: ignore[reportArgumentType]
