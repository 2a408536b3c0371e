"""Which family: made trials whose answer is known, a signal that one family fits, and what is refused."""

from typing import Any

import pytest
import torch

import ntkit
from ntkit import tune
from ntkit._core.errors import NumericalError
from ntkit.networks.families import FAMILIES
from ntkit.tasks import PSNR, Budget, RadianceField, Shape, Signal
from ntkit.tuning import EVERY_FAMILY, Candidate, NetworkPlan, Prediction, families, ladders
from ntkit.tuning.families import compared
from ntkit.tuning.family_notes import notes_on
from ntkit.tuning.ladders import ladder_of, usual_of
from ntkit.tuning.trials import CandidateTrial
from tests.cases import TASKS, randn, seeded
from tests.spheres import views
from tests.tuning.made_trials import made

PLAN = NetworkPlan(2, 1, width=48, depth=2, n_frequencies=48)
NOISE = Signal(randn(96, 96))
BUDGET = Budget("adam", 1e-3, 100, 4096)
RELU = Candidate("gaussian", 7.0)


def test_a_family_that_is_clearly_better_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its best bandwidth, with what is known of the ReLU network as the level of all."""
    best = Candidate("finer", ladder_of("finer", NOISE)[1].bandwidth)
    made(monkeypatch, lambda c, k: (1e-3, 1.1e-3) if c == best else (1e-2, 1.2e-2))
    known = {RELU: Prediction(100, 30.0, 26.0)}
    asked = (NOISE, "generalise", BUDGET, PLAN)
    rows = compared(*asked, [RELU], EVERY_FAMILY, predicted=known).families
    assert rows[0].candidate == best
    assert {row.family for row in rows} == set(EVERY_FAMILY)
    relu = next(row for row in rows if row.family == "mlp")
    assert relu.candidate == RELU
    assert (relu.predicted.train, relu.predicted.held_out) == pytest.approx((30.0, 26.0))
    assert relu.predicted.steps == 100
    ahead = 10 * torch.tensor(2.2 / 0.21).log10().item()
    assert rows[0].predicted.held_out == pytest.approx(26.0 + ahead)
    assert relu.behind.gain == pytest.approx(ahead)
    assert not relu.ties
    for row in rows:
        assert row.n_parameters == pytest.approx(relu.n_parameters, rel=0.25)
        usual = [usual_of(row.family, NOISE), best, RELU]
        assert row.candidate in usual
    said = notes_on(rows, EVERY_FAMILY, PSNR(), knows=True)
    assert len(said) == 1
    assert said[0].startswith("By scale models finer is ahead of")


def test_families_that_tie_are_said_to_and_the_usual_one_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One is better on one part, and worse on the other."""
    made(monkeypatch, lambda c, k: (5e-3, 1.6e-2) if c.family == "siren" else (1e-2, 1.2e-2))
    rows = compared(NOISE, "generalise", BUDGET, PLAN, [RELU], ("siren", "mlp")).families
    assert rows[0].candidate == RELU
    assert rows[1].ties
    said = notes_on(rows, ("siren", "mlp"), PSNR(), knows=True)
    assert said == ("As far as scale models can tell, siren is as good as mlp.",)


@pytest.mark.parametrize(("equal", "best"), [("steps", "siren"), ("time", "mlp")])
def test_what_takes_twice_the_time_has_half_of_the_steps_in_it(
    equal, best: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors fall with the steps, those of SIREN to two thirds of the other's: less than twice the steps bring."""

    def errors(c: Candidate, k: int) -> tuple[float, float]:
        error = (2 / 3 if c.family == "siren" else 1.0) / k
        return error, 1.1 * error

    made(monkeypatch, errors)
    asked = (NOISE, "fit", BUDGET, PLAN)
    rows = compared(*asked, [RELU], ("mlp", "siren"), equal=equal).families
    assert rows[0].family == best
    siren = next(row for row in rows if row.family == "siren")
    assert (siren.predicted.steps, siren.in_time.steps) == (100, 50)


def test_a_sound_is_fitted_by_sines_and_not_by_bare_coordinates() -> None:
    """Sixty cycles: the answer is a family, with all that a training and its code need."""
    t = torch.arange(1200, dtype=torch.float64) / 1200
    wave = Signal(0.5 + 0.4 * torch.sin(120 * torch.pi * t))
    result = tune(
        wave, encodings=["identity"], families=["mlp", "siren"], steps=50, batch_size=512,
        width=48, depth=2, n_frequencies=48,
    )  # fmt: skip
    assert result.choice.family == "siren"
    assert [row.family for row in result.families] == ["siren", "mlp"]
    assert not result.families[1].ties
    assert result.predicted == result.families[0].predicted
    width = result.plan.width_of(result.choice)
    assert result.budget_of(result.choice).lr == pytest.approx(FAMILIES["siren"].rate(width))
    assert result.budget_of(result.choice).falling == 0.5
    assert result.budget_of(Candidate("identity")).lr == result.budget.lr
    with pytest.raises(ValueError, match=r"siren .* no encoding in front.*`result.build"):
        _ = result.encoding
    network = result.build(result.choice)
    code = result.code.removeprefix("network = ")
    again = eval(code, {"ntkit": ntkit})
    assert [p.shape for p in again.parameters()] == [p.shape for p in network.parameters()]
    assert str(result.choice) in result.curves


def test_long_budgets_are_asked_of_shorter_models_and_told_in_their_own_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Models end after 5,000 steps; what is trained by the answer has those of the budget, or of its time."""
    made(monkeypatch, lambda c, k: (1 / k, 1.1 / k))
    long = Budget("adam", 1e-3, 20_000, 4096)
    found = compared(NOISE, "fit", long, PLAN, [RELU], ("mlp", "siren"), equal="time")
    steps = {r.family: (r.predicted.steps, r.in_time.steps) for r in found.families}
    assert steps == {"mlp": (20_000, 20_000), "siren": (20_000, 10_000)}


def test_encodings_without_a_kernel_have_a_table_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """8 is the usual one, 4 better by less than the noise, 16 worse by far; the way to the budget is told too."""
    parts = {4.0: (1.0e-2, 1.2e-2), 8.0: (0.9e-2, 1.4e-2), 16.0: (5e-2, 6e-2)}
    made(monkeypatch, lambda c, k: [e * 100 / k for e in parts.get(c.bandwidth or 0.0, (0.2, 0.3))])
    relu = [Candidate("identity"), *(Candidate("gaussian", b) for b in parts)]
    found = compared(NOISE, "generalise", BUDGET, PLAN, relu, ("mlp",))
    assert [row.candidate for row in found.table] == relu
    assert found.families[0].candidate == relu[2]
    assert found.flat_range == (4.0, 8.0)
    rows = {row.candidate: row.at(BUDGET.steps).held_out for row in found.table}
    assert rows[relu[3]] == pytest.approx(-10 * torch.tensor(5.5e-2).log10().item())
    assert [p.steps for p in found.table[0].predictions] == [3, 12, 33, 100]
    assert found.table[0].predictions[0].held_out < found.table[0].predictions[-1].held_out


def test_nothing_is_recommended_where_every_model_diverges(monkeypatch: pytest.MonkeyPatch) -> None:
    made(monkeypatch, lambda c, k: (torch.inf, torch.inf))
    with pytest.raises(NumericalError, match=r"diverged at a learning rate of 0\.001"):
        compared(NOISE, "generalise", BUDGET, PLAN, [RELU], ("mlp", "siren"))


def test_a_shape_has_no_kernel_and_is_asked_by_models_alone() -> None:
    result = tune(
        TASKS[Shape](), encodings=["identity", "gaussian"], bandwidths=[2.0], families=["mlp"],
        steps=15, width=24, depth=2, n_frequencies=24, batch_size=256,
    )  # fmt: skip
    assert result.by_models
    assert [row.candidate.name for row in result.table] == ["identity", "gaussian"]
    assert result.steps[-1] == 15
    assert [row.family for row in result.families] == ["mlp"]
    assert result.predicted == next(r for r in result.table if r.candidate == result.choice).at(15)
    assert {"identity", str(result.choice)} == set(result.curves) | {"identity"}
    assert 0 <= result.predicted.held_out <= 1


def test_where_nothing_may_be_tried_the_usual_answer_is_said_to_be_that() -> None:
    result = tune(TASKS[Shape](), pilot=False, steps=15, width=24)
    assert result.choice == usual_of("mlp", TASKS[Shape]())
    assert any(note.startswith("Nothing was tried") for note in result.notes)
    assert not result.by_models


@pytest.mark.parametrize("engine", ["exact", "fft"])
def test_an_engine_is_refused_where_no_kernel_is_asked(unchecked: None, engine: Any) -> None:
    for task, names in ((TASKS[Shape](), ["mlp"]), (Signal(torch.rand(64)), ["siren"])):
        with pytest.raises(ValueError, match=f"`engine='{engine}'` solves the kernel of ReLU"):
            tune(task, families=names, engine=engine, steps=15, width=24)


def test_what_is_too_small_is_not_compared() -> None:
    tiny = Signal(randn(12, 12))
    result = tune(tiny, steps=5, width=16, n_frequencies=16, bandwidths=[2.0])
    assert result.families == ()
    assert result.choice.family == "mlp"
    assert "Too small for scale models: no families were compared." in result.notes
    alone = tune(tiny, steps=5, width=16, n_frequencies=16, families=["finer"])
    assert alone.choice == usual_of("finer", tiny)


@pytest.mark.parametrize("name", EVERY_FAMILY)
def test_networks_have_as_many_parameters(name: str) -> None:
    counts = []
    for candidate in (Candidate("gaussian", 3.0), usual_of(name, NOISE)):
        network = PLAN.trainable(candidate)
        counts.append(sum(p.numel() for p in network.parameters()))
        x = torch.rand(3, 2, generator=seeded())
        torch.testing.assert_close(PLAN.scale_model(candidate, 1, 1.0)(x), network(x))
    assert counts[1] == pytest.approx(counts[0], rel=0.25)
    width = PLAN.width_of(usual_of(name, NOISE))
    assert PLAN.budget_of(usual_of(name, NOISE), BUDGET).lr == FAMILIES[name].rate(width)


def test_scenes_with_directions_have_no_hash_grid() -> None:
    turned, plain = (RadianceField(views(3, 8), view_directions=on) for on in (True, False))
    assert ladders.asked_families(None, turned, may_try=True) == ("mlp", "siren", "finer", "wire")
    assert ladders.asked_families(None, plain, may_try=True) == EVERY_FAMILY
    assert ladders.asked_families(None, plain, may_try=False) == ("mlp",)


def test_scenes_of_cones_are_asked_of_encodings_alone() -> None:
    task = RadianceField(views(3, 8), cones=True)
    assert ladders.asked_families(None, task, may_try=True) == ("mlp",)
    assert ladders.asked_families(["mlp"], task, may_try=True) == ("mlp",)
    with pytest.raises(
        ValueError, match=r"`families=\('siren',\)` must be \('mlp',\) here: this field"
    ):
        ladders.asked_families(["siren"], task, may_try=True)


def test_bandwidths_whose_waves_turn_too_far_in_a_step_are_not_tried() -> None:
    """omega_0 = pi d sqrt(3) bandwidth, times rate and coordinates: 0.6 radians at most; also of what is usual."""
    for name in ("siren", "finer"):
        rate = FAMILIES[name].lr
        for d in (1, 2, 3):
            most = 0.6 / (rate * d) / (torch.pi * d * 3**0.5)
            assert ladders.is_steady(Candidate(name, most), d)
            assert not ladders.is_steady(Candidate(name, 1.1 * most), d)
    long = Signal(randn(50_000))
    assert ladders.is_steady(usual_of("siren", long), 1)
    assert ladders.is_steady(Candidate("gaussian", 1e6), 1)


def test_errors(unchecked: None) -> None:
    with pytest.raises(ValueError, match='`equal=\'money\'` must be "steps" or "time"'):
        tune(NOISE, equal="money", pilot=False)
    with pytest.raises(ValueError, match=r"`families=\('relu',\)` must name some of mlp, siren"):
        tune(NOISE, families=["relu"])
    with pytest.raises(ValueError, match=r"`families=\(\)` must name some of"):
        tune(NOISE, families=[])
    for options in ({"pilot": False}, {"optimiser": "sgd"}):
        with pytest.raises(ValueError, match="are compared by short trainings with Adam"):
            tune(NOISE, families=["mlp", "siren"], **options)


@pytest.mark.parametrize(
    ("width", "side", "scale", "parts"),
    [(144, 256, 6, 8), (144, 160, 4, 4), (143, 256, 4, 4)],
    ids=["both large", "a sixth of the pixels is too few", "a sixth of the width too narrow"],
)
def test_models_are_a_sixth_as_wide_where_network_and_parts_are_large(
    monkeypatch: pytest.MonkeyPatch, width: int, side: int, scale: int, parts: int
) -> None:
    found: list[tuple[int, int]] = []
    made(monkeypatch, lambda *_: (1e-2, 1e-2))
    unseen = families.trials

    def trials(task, cut, *asked, scale: int, **others) -> tuple[CandidateTrial, ...]:
        found.append((scale, len(cut)))
        return unseen(task, cut, *asked, scale=scale, **others)

    monkeypatch.setattr(families, "trials", trials)
    plan = NetworkPlan(2, 1, width=width, depth=2, n_frequencies=16)
    compared(Signal(randn(side, side)), "fit", BUDGET, plan, [RELU], ["mlp", "siren"])
    assert found == [(scale, parts)] * 2
