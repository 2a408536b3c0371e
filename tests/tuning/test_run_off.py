"""A run-off between families that models do not tell apart: who runs, for how long, and who wins."""

from math import inf, isnan, nan

import pytest
import torch

from ntkit import tune
from ntkit._core.errors import NumericalError
from ntkit.networks.families import FAMILIES
from ntkit.tasks import PSNR, Budget, Evaluation, Signal, Trainer
from ntkit.tuning import Candidate, Contender, Lead, NetworkPlan, trained_briefly
from ntkit.tuning.families import FamilyComparison, compared
from ntkit.tuning.family_notes import notes_on
from ntkit.tuning.run_off import is_near, judging, share_of
from tests.cases import randn
from tests.tuning.made_trials import Errors, made

PLAN = NetworkPlan(2, 1, width=48, depth=2, n_frequencies=48)
NOISE = Signal(randn(96, 96))
BUDGET = Budget("adam", 1e-3, 100, 4096)
RELU = Candidate("gaussian", 7.0)


def tied(c: Candidate, k: int) -> tuple[float, float]:
    """SIREN is better on one part and worse on the other; FINER is worse on both."""
    del k
    return {"siren": (5e-3, 1.6e-2), "finer": (4e-2, 4.4e-2)}.get(c.family, (1e-2, 1.2e-2))


class Trains:
    """A run-off that reaches these mean square errors; None diverges."""

    def __init__(self, **errors: float | None) -> None:
        self.errors = errors
        self.ran: list[Contender] = []

    def __call__(self, contender: Contender) -> Evaluation:
        self.ran.append(contender)
        error = self.errors[contender.candidate.family]
        if error is None:
            raise NumericalError("The training diverged.")
        return Evaluation(contender.budget.steps, error / 2, error)


def comparison(
    monkeypatch: pytest.MonkeyPatch, run_off: Trains | None, errors: Errors = tied, **how
) -> FamilyComparison:
    made(monkeypatch, errors)
    goal = how.pop("goal", "generalise")
    asked = (how.pop("task", NOISE), goal, how.pop("budget", BUDGET), PLAN, [RELU])
    return compared(*asked, how.pop("families", ("siren", "mlp", "finer")), run_off=run_off, **how)


@pytest.mark.parametrize(
    ("errors", "order", "said"),
    [
        ({"mlp": 1e-2, "siren": 1e-3}, ["siren", "mlp"], "siren reached 30.00 dB and mlp 20.00 dB, by"),
        ({"mlp": 1e-3, "siren": 1e-2}, ["mlp", "siren"], "mlp reached 30.00 dB and siren 20.00 dB, by"),
        ({"mlp": None, "siren": 1e-2}, ["siren", "mlp"], "siren reached 20.00 dB, and mlp diverged."),
        ({"mlp": 1e-2, "siren": None}, ["mlp", "siren"], "mlp reached 20.00 dB, and siren diverged."),
        ({"mlp": None, "siren": None}, ["mlp", "siren"], "both diverged, and mlp is kept."),
        ({"mlp": 1e-2, "siren": 1e-2}, ["mlp", "siren"], "mlp reached 20.00 dB and siren 20.00 dB"),
        ({"mlp": nan, "siren": 1e-2}, ["siren", "mlp"], "siren reached 20.00 dB, and mlp diverged."),
    ],
)  # fmt: skip
def test_the_better_one_is_taken_and_what_diverges_is_beaten(
    monkeypatch: pytest.MonkeyPatch, errors: dict[str, float | None], order: list[str], said: str
) -> None:
    trains = Trains(**errors)
    rows = comparison(monkeypatch, trains).families
    assert [row.family for row in rows] == [*order, "finer"]
    assert [c.candidate.family for c in trains.ran] == ["mlp", "siren"]
    for row, error in zip(rows, [errors[f] for f in order], strict=False):
        assert row.run_off is not None
        assert row.run_off.held_out == pytest.approx(
            -inf if error is None or isnan(error) else PSNR().quality(error)
        )
    assert rows[2].run_off is None
    assert rows[0].behind.gain == 0
    notes = notes_on(rows, order, PSNR(), knows=True)
    start = f"Models set {order[0]} and {order[1]} less than two standard errors apart. In a run-off, real trainings of "
    assert notes[0].startswith(f"{start}12 steps, ")
    assert said in notes[0]
    assert notes[1].startswith(f"By scale models {order[0]} is ahead of finer by")
    assert len(notes) == 2


def test_what_models_say_stands_beside_it_and_is_of_the_winner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The lead of one over the other changes its sign with the recommended one; its noise is the same."""
    first = comparison(monkeypatch, None).families
    second = comparison(monkeypatch, Trains(mlp=1e-2, siren=1e-3)).families
    before = {row.family: row.behind for row in first}
    after = {row.family: row.behind for row in second}
    assert after["mlp"].gain == pytest.approx(-before["siren"].gain)
    assert after["mlp"].noise == pytest.approx(before["siren"].noise)
    assert after["finer"].gain == pytest.approx(before["finer"].gain - before["siren"].gain)
    assert {r.family: r.predicted for r in first} == {r.family: r.predicted for r in second}


def test_a_clear_winner_needs_none_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    def clear(c: Candidate, k: int) -> tuple[float, float]:
        return (1e-3 / k, 1.1e-3 / k) if c.family == "siren" else (1e-2, 1.2e-2)

    trains = Trains()
    assert comparison(monkeypatch, trains, clear) == comparison(monkeypatch, None, clear)
    alone = comparison(monkeypatch, trains, families=("siren",))
    assert alone == comparison(monkeypatch, None, families=("siren",))
    assert not trains.ran


@pytest.mark.parametrize(
    ("gain", "noise", "near"),
    [(0.9, 0.5, True), (1.1, 0.5, False), (-3.0, 0.5, True), (5.0, inf, True), (inf, 0.0, False)],
)
def test_near_is_less_than_two_standard_errors(gain: float, noise: float, near: bool) -> None:
    """One part alone tells nothing apart, and what diverged is far behind."""
    assert is_near(Lead(gain, noise)) is near


@pytest.mark.parametrize(("equal", "steps"), [("steps", [100, 100]), ("time", [100, 50])])
def test_each_has_an_eighth_of_its_own_steps_at_its_own_rate(
    monkeypatch: pytest.MonkeyPatch, equal, steps: list[int]
) -> None:
    """A step of SIREN takes twice as long; its rate falls over the second half of the eighth."""
    trains = Trains(mlp=1e-2, siren=1e-2)
    budget = Budget("adam", 1e-3, 800, 512)
    families = comparison(monkeypatch, trains, equal=equal, budget=budget).families
    assert [c.budget.steps for c in trains.ran] == steps
    relu, siren = (c.budget for c in trains.ran)
    assert (relu.lr, relu.falling, relu.batch_size) == (1e-3, 0.0, 512)
    width = PLAN.width_of(trains.ran[1].candidate)
    assert (siren.lr, siren.falling) == (FAMILIES["siren"].rate(width), 0.5)
    said = notes_on(families, ("mlp", "siren"), PSNR(), knows=True)[0]
    assert f"of {' and '.join(dict.fromkeys(map(str, steps)))} steps" in said
    assert [share_of(n) for n in (1, 7, 2000)] == [1, 1, 250]


def test_what_counts_is_the_goal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fits better, the other generalises better."""

    def trains(contender: Contender) -> Evaluation:
        is_siren = contender.candidate.family == "siren"
        return Evaluation(12, *((1e-4, 1e-2) if is_siren else (1e-3, 1e-3)))

    made(monkeypatch, tied)
    for goal, best in (("fit", "siren"), ("generalise", "mlp")):
        rows = compared(
            NOISE, goal, BUDGET, PLAN, [RELU], ("siren", "mlp"), run_off=trains
        ).families
        assert rows[0].family == best
        assert ("siren reached 40.00 dB" in notes_on(rows, (), PSNR(), knows=True, goal=goal)[0]) is (
            goal == "fit"
        )  # fmt: skip


def test_it_is_judged_by_what_is_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a tenth, where the task holds out nothing; a fit is judged by what it is trained on."""
    whole = NOISE.to_fit()
    for goal, n in (("generalise", whole.n_trained * 9 // 10), ("fit", whole.n_trained)):
        trains = Trains(mlp=1e-2, siren=1e-2)
        comparison(monkeypatch, trains, task=whole, goal=goal)
        assert [c.task.n_trained for c in trains.ran] == pytest.approx([n, n], abs=1)
    assert judging(NOISE, "generalise") is NOISE


def test_where_nothing_can_be_held_out_models_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(*_: object, **__: object) -> Signal:
        raise ValueError("`hold_out=0.1` leaves nothing.")

    whole = NOISE.to_fit()
    monkeypatch.setattr(Signal, "keep_out", kept)
    trains = Trains()
    assert [r.run_off for r in comparison(monkeypatch, trains, task=whole).families] == [None] * 3
    assert not trains.ran


def test_it_is_the_training_in_full_but_for_its_steps() -> None:
    """Frequencies, weights and batches of the plan's seed, and the better of the weights and their average."""
    wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(256.0) / 256))
    plan, budget = (
        NetworkPlan(1, 1, width=16, depth=2, n_frequencies=16, seed=7),
        Budget(steps=30, batch_size=32),
    )
    for candidate in (Candidate("gaussian", 3.0), Candidate("siren", 3.0)):
        own = plan.budget_of(candidate, budget)
        trainer = Trainer(
            plan.trainable(candidate), wave, own, average=True, generator=torch.Generator().manual_seed(7)
        )  # fmt: skip
        trainer.run()
        assert trained_briefly(Contender(candidate, wave, plan, own)) == trainer.evaluations[-1]


def test_numbers_that_stay_finite_but_make_no_sense_are_divergence() -> None:
    wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(256.0) / 256))
    plan = NetworkPlan(1, 1, width=16, depth=2, n_frequencies=16)
    wild = Contender(Candidate("gaussian", 3.0), wave, plan, Budget("adam", 30.0, 10))
    with pytest.raises(NumericalError, match="diverged"):
        trained_briefly(wild)


def test_families_that_models_tie_are_told_apart_by_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixty cycles, without an encoding: the usual family by models is not the better one, whichever order they have."""
    t = torch.arange(1200, dtype=torch.float64) / 1200
    wave = Signal(0.5 + 0.4 * torch.sin(120 * torch.pi * t))
    made(monkeypatch, lambda c, k: (5e-3, 1.6e-2) if c.family == "mlp" else (1e-2, 1.2e-2))
    heard: list[str] = []
    how = {
        **{"encodings": ["identity"], "families": ["mlp", "siren"], "steps": 240, "batch_size": 256},
        **{"width": 48, "depth": 2, "n_frequencies": 48, "on_progress": heard.append},
    }  # fmt: skip
    result = tune(wave, **how)
    assert result.choice.family == "siren"
    better, worse = (row.run_off for row in result.families)
    assert better is not None
    assert worse is not None
    assert (better.steps, worse.steps) == (30, 30)
    assert better.held_out > worse.held_out
    assert any(text.startswith("run-off of siren and mlp, about ") for text in heard)
    assert any("less than two standard errors apart" in note for note in result.notes)
    assert not any("is as good as" in note for note in result.notes)
    without = tune(wave, **how, run_off=None)
    assert [row.run_off for row in without.families] == [None, None]
    assert "As far as scale models can tell, mlp is as good as siren." in without.notes


@pytest.mark.parametrize("wrong", [True, False, "yes"])
def test_what_trains_nothing_is_refused_before_the_work(unchecked: None, wrong) -> None:
    with pytest.raises(TypeError, match=f"`run_off={wrong!r}` must be what trains .* None for no"):
        tune(NOISE, run_off=wrong)


def test_what_it_returns_must_be_an_evaluation(
    unchecked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        TypeError, match=r"`run_off` returned 3\.0, of type float\. It must return the"
    ):
        comparison(monkeypatch, lambda _: 3.0)  # pyright: ignore[reportArgumentType]


def test_nan_of_what_is_held_out_alone_is_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = comparison(monkeypatch, lambda c: Evaluation(c.budget.steps, 1e-2, nan)).families  # pyright: ignore[reportArgumentType]
    assert [row.run_off.held_out for row in rows if row.run_off] == [-inf, -inf]
