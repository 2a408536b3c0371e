"""The trainings of a run-off in a run folder: kept, gone on with, and told of."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tyro")
pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")
pytest.importorskip("safetensors")

from ntkit._core.errors import NumericalError
from ntkit.cli.show import show_recommendation
from ntkit.experiments import FitSpec, TuneSpec, training
from ntkit.experiments.fit_run import run_fit
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.progress import Telling
from ntkit.experiments.run_from_json import read_run
from ntkit.experiments.tune_run import resume_tune, run_tune
from ntkit.experiments.weights import read_tensors
from tests.experiments.small_runs import leave_undrawn, waves
from tests.experiments.stopping import Killed, kill, stopping
from tests.tuning.made_trials import made

QUIET = Telling(show_progress=False)
FILES = {"run_off_mlp", "run_off_siren"}


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TuneSpec:
    """A choice between two families whose models tie; 24 steps each in the run-off, and no proof."""
    made(monkeypatch, lambda c, k: (5e-3, 1.6e-2) if c.family == "siren" else (1e-2, 1.2e-2))

    leave_undrawn(monkeypatch)
    return TuneSpec(
        data=waves(tmp_path / "waves.npy", 48, 48),
        budget="adam:3e-3:192",
        batch_size=64,
        width=36,
        depth=2,
        n_frequencies=8,
        encodings=("identity",),
        families=("mlp", "siren"),
        verify=False,
        out=tmp_path / "run",
        threads=1,
    )


def written(folder: Path) -> dict[str, object]:
    """What a run says, but for times."""
    found = json.loads((folder / "result.json").read_text())
    for row in found["families"]:
        del row["in_time"], row["seconds_a_step"]
    return {k: v for k, v in found.items() if k not in {"started", "seconds"}}


def kept(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.safetensors")}


def steps_of(folder: Path, run: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many steps of training in the folder it takes."""
    taken = 0

    class Counted(training.Trainer):
        def _advance(self) -> float:
            nonlocal taken
            taken += 1
            return super()._advance()

    with monkeypatch.context() as patch:
        patch.setattr(training, "Trainer", Counted)
        run()
    return taken


def test_a_run_off_is_kept_and_told_of(
    spec: TuneSpec, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_tune(spec, telling=QUIET)
    assert kept(run.folder) == FILES
    won, lost = run.result.families
    for row in (won, lost):
        assert row.run_off is not None
        facts = read_tensors(run.folder / f"run_off_{row.family}.safetensors")[1]
        [end] = facts["evaluations"]
        assert (row.run_off.steps, end["step"]) == (24, 24)
        assert row.run_off.held_out == pytest.approx(run.metric.quality(end["held_out"]))
    again = read_run(run.folder)
    assert again.result.families == run.result.families
    monkeypatch.setenv("COLUMNS", "120")
    show_recommendation(run)
    said = capsys.readouterr().out
    assert "run-off: real trainings" in said
    assert "24 steps" in said
    rows = [line.split() for line in said.splitlines()]
    for row in (won, lost):
        ends = [cells[-1] for cells in rows if cells[:2] == row.candidate.label.split()[:2]]
        assert f"{row.run_off.held_out:.1f}" in ends
    assert "less than two standard errors apart" in " ".join(said.split())
    page = " ".join((run.folder / "report.html").read_text().split())
    assert "<th>run-off</th>" in page
    assert f"<td>{lost.run_off.held_out:.1f}<small>24 steps</small></td>" in page
    assert "So both were trained for real" in page


def test_without_a_run_off_models_decide_and_nothing_tells_of_one(
    spec: TuneSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_tune(replace(spec, run_off=False), telling=QUIET)
    assert not kept(run.folder)
    assert run.result.choice.family == "mlp"
    show_recommendation(run)
    for text in (capsys.readouterr().out, (run.folder / "report.html").read_text()):
        assert "run-off" not in text


@pytest.mark.parametrize("at", [1, 30])
def test_a_run_killed_in_a_run_off_goes_on_and_says_the_same(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int
) -> None:
    """With checkpoints after each step: in the first training, and in the second."""
    monkeypatch.setattr(training, "_SECONDS", -1.0)
    whole = run_tune(replace(spec, out=tmp_path / "whole"), telling=QUIET)
    with stopping(monkeypatch, at, kill), pytest.raises(Killed):
        run_tune(spec, telling=QUIET)
    assert json.loads((spec.out / "result.json").read_text())["partial"] is True
    left = steps_of(spec.out, lambda: resume_tune(spec.out, telling=QUIET), monkeypatch)
    assert left == 48 - (at - 1)  # the step that was killed was not kept
    assert written(spec.out) == written(whole.folder)
    for name in FILES:
        ours, theirs = (
            read_tensors(f / f"{name}.safetensors")[0] for f in (spec.out, whole.folder)
        )
        assert all(np.array_equal(ours[k], theirs[k]) for k in theirs)
    assert kept(spec.out) == FILES


def test_ctrl_c_ends_a_run_off_at_a_step(spec: TuneSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    interruption = Interruption()

    def stop() -> None:
        interruption.signal = 2

    with stopping(monkeypatch, 30, stop), pytest.raises(KeyboardInterrupt):
        run_tune(spec, telling=Telling(show_progress=False, interruption=interruption))
    assert kept(spec.out) == {*FILES, "checkpoint"}
    left = steps_of(spec.out, lambda: resume_tune(spec.out, telling=QUIET), monkeypatch)
    assert left == 48 - 30
    assert kept(spec.out) == FILES


def test_what_was_kept_of_another_training_is_not_taken(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a budget is a time, which is not as many steps each time."""
    with stopping(monkeypatch, 48, kill), pytest.raises(Killed):
        run_tune(spec, telling=QUIET)
    asked = json.loads((spec.out / "spec.json").read_text())
    (spec.out / "spec.json").write_text(json.dumps({**asked, "budget": "adam:3e-3:240"}))
    left = steps_of(spec.out, lambda: resume_tune(spec.out, telling=QUIET), monkeypatch)
    assert left == 60


def test_damaged_weights_of_a_run_off_are_named_and_the_folder_stays(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on without them trains one network again, and has the other."""
    with stopping(monkeypatch, 48, kill), pytest.raises(Killed):
        run_tune(spec, telling=QUIET)
    [first] = spec.out.glob("run_off_*.safetensors")
    first.write_bytes(first.read_bytes()[:1000])
    before = sorted(spec.out.iterdir())
    with pytest.raises(ValueError, match=f"{first.name}` is damaged"):
        resume_tune(spec.out, telling=QUIET)
    assert sorted(spec.out.iterdir()) == before
    first.unlink()
    resume_tune(spec.out, telling=QUIET)
    assert kept(spec.out) == FILES


def test_what_diverges_is_beaten_and_leaves_no_checkpoint(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wild(training.Trainer):
        def _advance(self) -> float:
            loss = super()._advance()
            if self.step == 5 and self._budget.falling:  # SIREN
                raise NumericalError("The training diverged.")
            return loss

    monkeypatch.setattr(training, "_SECONDS", -1.0)
    monkeypatch.setattr(training, "Trainer", Wild)
    run = run_tune(spec, telling=QUIET)
    assert run.result.choice.family == "mlp"
    assert kept(run.folder) == {"run_off_mlp"}
    assert any("and siren diverged" in note for note in run.notes)
    page = (run.folder / "report.html").read_text()
    assert "<td>diverged<small>24 steps</small></td>" in page
    row = read_run(run.folder).result.families[1]
    assert row.run_off == run.result.families[1].run_off


def test_a_fit_says_against_whom_its_network_ran(spec: TuneSpec, tmp_path: Path) -> None:
    asked = FitSpec(
        data=spec.data, budget="adam:3e-3:40", batch_size=64, width=36, depth=2, n_frequencies=8,
        out=tmp_path / "fit", threads=1,
    )  # fmt: skip
    run = run_fit(asked, telling=QUIET)
    loser = run.choice.families[1].candidate.label
    assert run.why == f"chosen by the kernel for these samples, by a run-off against {loser}"
    assert kept(run.folder) == {*FILES, "network"}
