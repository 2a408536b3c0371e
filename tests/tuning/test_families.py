"""Which family: made trials whose answer is known, a signal that one family fits, and what is refused."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import tune
from ntkit.networks import Sine
from ntkit.networks.families import FAMILIES
from ntkit.tasks import PSNR, Budget, Shape, Signal
from ntkit.tuning import EVERY_FAMILY, Candidate, NetworkPlan, Prediction, families
from ntkit.tuning.families import compared, ladder_of, notes_on, usual_of
from ntkit.tuning.trials import Trial
from tests.cases import TASKS, randn, seeded

PLAN = NetworkPlan(2, 1, width=48, depth=2, n_frequencies=48)
NOISE = Signal(randn(96, 96))
BUDGET = Budget("adam", 1e-3, 100, 4096)
RELU = Candidate("gaussian", 7.0)

Errors = Callable[[Candidate, int], Sequence[float]]


def made(monkeypatch: pytest.MonkeyPatch, errors: Errors) -> None:
    """Trials that reach these mean square errors on two parts; a step of SIREN takes twice as long."""

    def trials(task, parts, budget, tried, *, plan, scale, moments) -> tuple[Trial, ...]:
        del task, parts, plan, scale
        stops = {*moments, budget.steps}

        def sums(c: Candidate, k: int) -> Tensor:
            return torch.tensor([[e, 1.0] for e in errors(c, k)], dtype=torch.float64)

        every = [{k: sums(c, k) for k in stops} for c in tried]
        return tuple(Trial(c, kind, kind) for c, kind in zip(tried, every, strict=True))

    def timed(network: nn.Module, task, budget) -> float:
        del task, budget
        return 2.0 if any(isinstance(m, Sine) for m in network) else 1.0

    monkeypatch.setattr(families, "trials", trials)
    monkeypatch.setattr(families, "seconds_a_step", timed)


def test_a_family_that_is_clearly_better_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """At its best bandwidth, with what is known of the ReLU network as the level of all."""
    best = Candidate("finer", ladder_of("finer", NOISE)[1].bandwidth)
    made(monkeypatch, lambda c, k: (1e-3, 1.1e-3) if c == best else (1e-2, 1.2e-2))
    known = {RELU: Prediction(100, 30.0, 26.0)}
    asked = (NOISE, "generalise", BUDGET, PLAN)
    rows = compared(*asked, [RELU], EVERY_FAMILY, predicted=known)
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
    said = notes_on(rows, EVERY_FAMILY, PSNR(), may_try=True)
    assert len(said) == 1
    assert said[0].startswith("By scale models finer is ahead of")


def test_families_that_tie_are_said_to_and_the_usual_one_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One is better on one part, and worse on the other."""
    made(monkeypatch, lambda c, k: (5e-3, 1.6e-2) if c.family == "siren" else (1e-2, 1.2e-2))
    rows = compared(NOISE, "generalise", BUDGET, PLAN, [RELU], ("siren", "mlp"))
    assert rows[0].candidate == RELU
    assert rows[1].ties
    said = notes_on(rows, ("siren", "mlp"), PSNR(), may_try=True)
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
    rows = compared(*asked, [RELU], ("mlp", "siren"), equal=equal)
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
    assert result.budget_of(result.choice).lr == pytest.approx(5e-4)
    assert result.budget_of(Candidate("identity")).lr == result.budget.lr
    network = result.build(result.choice)
    code = result.code.removeprefix("network = ")
    again = eval(code, {"ntkit": ntkit})
    assert [p.shape for p in again.parameters()] == [p.shape for p in network.parameters()]
    assert str(result.choice) in result.curves


def test_a_shape_has_no_kernel_and_is_asked_by_models_alone() -> None:
    result = tune(
        TASKS[Shape](), encodings=["identity", "gaussian"], bandwidths=[2.0], families=["mlp"],
        steps=15, width=24, depth=2, n_frequencies=24, batch_size=256,
    )  # fmt: skip
    assert result.table == ()
    assert [row.family for row in result.families] == ["mlp"]
    assert 0 <= result.predicted.held_out <= 1
    assert result.choice.name in {"identity", "gaussian"}


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
    family = FAMILIES[name]
    assert usual_of(name, NOISE).own(BUDGET).lr == pytest.approx(family.lr)


def test_scenes_with_directions_have_no_hash_grid() -> None:
    assert families.asked_families(None, 6, may_try=True) == ("mlp", "siren", "finer", "wire")
    assert families.asked_families(None, 3, may_try=True) == EVERY_FAMILY
    assert families.asked_families(None, 3, may_try=False) == ("mlp",)


def test_bandwidths_whose_waves_turn_too_far_in_a_step_are_not_tried() -> None:
    """omega_0 = pi d sqrt(3) bandwidth, times rate and coordinates: 0.6 radians at most; also of what is usual."""
    for name in ("siren", "finer"):
        rate = FAMILIES[name].lr
        for d in (1, 2, 3):
            most = 0.6 / (rate * d) / (torch.pi * d * 3**0.5)
            assert families.is_steady(Candidate(name, most), d)
            assert not families.is_steady(Candidate(name, 1.1 * most), d)
    long = Signal(randn(50_000))
    assert families.is_steady(usual_of("siren", long), 1)
    assert families.is_steady(Candidate("gaussian", 1e6), 1)


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
