"""A fit is kept whole: what it was asked, how its encoding was chosen, its weights, wherever it was stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
safetensors = pytest.importorskip("safetensors.torch")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit  # noqa: E402
from ntkit._core.errors import NumericalError  # noqa: E402
from ntkit.experiments import training  # noqa: E402
from ntkit.experiments.budgets import parse_budget  # noqa: E402
from ntkit.experiments.fit_run import resume_fit, run_fit  # noqa: E402
from ntkit.experiments.interruption import Interruption  # noqa: E402
from ntkit.experiments.progress import Telling  # noqa: E402
from ntkit.experiments.runs import list_runs  # noqa: E402
from ntkit.experiments.spec import FitSpec, TuneSpec  # noqa: E402
from ntkit.experiments.tune_run import resume_tune, run_tune  # noqa: E402
from ntkit.tasks import Image, psnr  # noqa: E402
from ntkit.tuning import Candidate  # noqa: E402
from tests.experiments.small_runs import leave_undrawn, waves  # noqa: E402
from tests.experiments.stopping import Killed, kill, stopping  # noqa: E402
from tests.spheres import views  # noqa: E402

QUIET = Telling(show_progress=False)


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)


@pytest.fixture
def spec(tmp_path: Path) -> FitSpec:
    return FitSpec(
        data=waves(tmp_path / "waves.npy", 24, 32),
        encoding="gaussian",
        bandwidth=2.0,
        budget="adam:3e-3:20",
        width=16,
        depth=2,
        n_frequencies=16,
        out=tmp_path / "fit",
        threads=1,
    )


@pytest.fixture
def tuned(spec: FitSpec, tmp_path: Path) -> TuneSpec:
    """A choice between few candidates, which is not proved."""
    return TuneSpec(
        data=spec.data,
        budget=spec.budget,
        width=12,
        depth=1,
        n_frequencies=8,
        bandwidths=(1.0, 3.0),
        encodings=("gaussian",),
        verify=False,
        out=tmp_path / "tuned",
        threads=1,
    )


def written(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def test_all_samples_are_trained_on_unless_some_are_held_out(spec: FitSpec, tmp_path: Path) -> None:
    run = run_fit(spec, telling=QUIET)
    assert run.n_trained == 24 * 32
    assert (run.candidate, run.why, run.choice) == (Candidate("gaussian", 2.0), "as asked", None)
    assert written(run.folder)["held_out_psnr"] is None
    some = run_fit(replace(spec, hold_out=0.1, out=tmp_path / "some"), telling=QUIET)
    assert some.n_trained == pytest.approx(0.9 * 24 * 32, abs=1)
    assert written(some.folder)["held_out_psnr"] == pytest.approx(some.proof.held_out_quality)


def test_a_page_of_a_sampled_signal_compares_sizes_and_that_of_views_does_not(
    spec: FitSpec, tmp_path: Path
) -> None:
    """The samples of a signal are all of it; the rays of a scene are many views, of which one is shown."""
    page = (run_fit(spec, telling=QUIET).folder / "report.html").read_text()
    assert "24 x 32 samples" in page or "24 x 32 pixels" in page
    assert "of the numbers it stands for" in page
    seen = views(4, 8)
    poses = np.array([[*camera.pose, (0, 0, 0, 1)] for camera in seen.cameras])
    arrays = {"images": np.stack(seen.images), "poses": poses, "focal": seen.cameras[0].focal[0]}
    np.savez(tmp_path / "balls.npz", **arrays)
    field = replace(spec, data=tmp_path / "balls.npz", n_samples=8, out=tmp_path / "field")
    page = (run_fit(field, telling=QUIET).folder / "report.html").read_text()
    assert "Views of 8 x 8 pixels" in page
    assert "192 rays trained on" in page
    assert "of the numbers it stands for" not in page


@pytest.mark.parametrize("hold_out", [0.0, 0.2])
def test_a_fit_is_read_back_with_the_network_that_was_measured(
    spec: FitSpec, hold_out: float
) -> None:
    spec = replace(spec, hold_out=hold_out)
    run = run_fit(spec, telling=QUIET)
    again = ntkit.load(run.folder)
    assert again.spec == spec
    for name in ("candidate", "why", "plan", "budget", "n_trained", "notes", "axis_counts"):
        assert getattr(again, name) == getattr(run, name), name
    assert str(vars(again.proof)) == str(vars(run.proof))  # nan
    assert not again.partial
    task = Image(spec.data).keep_out(hold_out, seed=0)
    with torch.no_grad():
        field = again.network(task.points()).reshape(*task.shape, 1)
    assert psnr(task.errors(field)[0]) == pytest.approx(run.proof.train_quality, abs=1e-4)
    own = again.render()
    np.testing.assert_allclose(own.values, field.numpy(), atol=1e-6)
    with pytest.raises(ValueError, match="holds one network"):
        again.trained(name="recommended")


def test_a_part_at_a_resolution_is_that_part_of_the_whole(spec: FitSpec, tmp_path: Path) -> None:
    run = run_fit(spec, telling=QUIET)
    whole = run.render(size=(72, 96)).values
    part = run.render(tmp_path / "part.npy", size=(30, 48), crop=[(4, 14), (8, 24)])
    np.testing.assert_allclose(part.values, whole[12:42, 24:72], atol=1e-5)
    np.testing.assert_allclose(whole[::3, ::3], run.render().values, atol=1e-5)
    np.testing.assert_allclose(np.load(tmp_path / "part.npy"), part.numbers[..., 0], rtol=1e-5)
    with pytest.raises(ValueError, match="inside of"):
        run.render(crop=[(0, 10), (0, 99)])


@pytest.mark.parametrize("at", [1, 7, 20])
def test_a_killed_fit_that_is_gone_on_with_ends_like_one_that_was_not(
    spec: FitSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int
) -> None:
    monkeypatch.setattr(training, "_SECONDS", -1.0)
    spec = replace(spec, batch_size=64)
    whole = run_fit(replace(spec, out=tmp_path / "whole"), telling=QUIET)
    with stopping(monkeypatch, at, kill), pytest.raises(Killed):
        run_fit(spec, telling=QUIET)
    assert written(tmp_path / "fit")["partial"] is True
    run = resume_fit(tmp_path / "fit", telling=QUIET)
    assert not run.partial
    expected, found = (
        safetensors.load_file(r.folder / "network.safetensors") for r in (whole, run)
    )
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[k], found[k]) for k in expected)
    of_time = {"started", "seconds"}
    before, after = written(whole.folder), written(run.folder)
    assert {k: before[k] for k in before.keys() - of_time} == {
        k: after[k] for k in after.keys() - of_time
    }
    assert not (run.folder / "checkpoint.safetensors").exists()


def test_a_stopped_fit_keeps_what_it_reached_and_goes_on(
    spec: FitSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    interruption = Interruption()

    def stop() -> None:
        interruption.signal = 15

    with stopping(monkeypatch, 9, stop):
        run = run_fit(spec, telling=Telling(show_progress=False, interruption=interruption))
    assert (run.partial, run.interrupted, run.proof.finished) == (True, True, False)
    assert ntkit.load(run.folder).network(torch.rand(3, 2)).shape == (3, 1)
    assert not resume_fit(run.folder, telling=QUIET).partial
    assert not resume_fit(run.folder, telling=QUIET).interrupted  # whole: as it is


def test_a_fit_killed_before_its_choice_is_started_again(
    spec: FitSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    auto = replace(spec, encoding="auto", bandwidth=None)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ntkit.experiments.fit_run.tune", killed)
        with pytest.raises(KeyboardInterrupt):
            run_fit(auto, telling=QUIET)
    with pytest.raises(ValueError, match=r"stopped before.*ntkit fit --resume"):
        ntkit.load(tmp_path / "fit")
    asked: list[dict[str, object]] = []

    def chosen(task: Image, **how: object) -> ntkit.tuning.TuneResult:
        asked.append(how)
        return ntkit.tune(task, steps=20, width=8, depth=1, encodings=["basic"], pilot=False)

    monkeypatch.setattr("ntkit.experiments.fit_run.tune", chosen)
    run = resume_fit(tmp_path / "fit", telling=QUIET)
    assert (run.why, run.partial) == ("chosen by the kernel for these samples", False)
    assert (asked[0]["width"], asked[0]["steps"]) == (16, 20)
    assert run.choice is not None
    again = ntkit.load(run.folder)
    assert again.choice.table == run.choice.table
    assert again.candidate == Candidate("basic")


def test_like_takes_the_choice_where_samples_are_as_dense_and_chooses_again_elsewhere(
    spec: FitSpec, tuned: TuneSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`tune` trains on every other sample along each axis: so does a fit of a quarter of them, or so."""
    before = run_tune(tuned, telling=QUIET)
    told: list[str] = []
    telling = Telling(show_progress=False, on_notice=told.append)
    like = replace(
        spec, encoding="auto", bandwidth=None, like=tuned.out, width=None, depth=None, n_frequencies=None
    )  # fmt: skip
    same = run_fit(replace(like, hold_out=0.75), telling=telling)
    assert same.candidate == before.result.choice
    assert (same.plan.width, same.plan.depth, same.plan.n_frequencies) == (12, 1, 8)
    assert told == [f"{same.candidate.label}: as in tuned."]

    def chosen(task: Image, **_: object) -> ntkit.tuning.TuneResult:
        return ntkit.tune(task, steps=20, width=8, depth=1, encodings=["basic"], pilot=False)

    monkeypatch.setattr("ntkit.experiments.fit_run.tune", chosen)
    denser = run_fit(replace(like, out=tmp_path / "denser"), telling=telling)
    assert denser.candidate == Candidate("basic")
    assert "chosen again for 24 x 32 training samples" in told[-1]
    assert "where tuned had 12 x 16" in denser.why
    again = run_fit(replace(like, like=denser.folder, out=tmp_path / "again"), telling=telling)
    assert (again.candidate, again.why) == (Candidate("basic"), "as in denser")


def test_what_is_of_another_command_is_refused(spec: FitSpec, tuned: TuneSpec) -> None:
    fitted, chosen = run_fit(spec, telling=QUIET), run_tune(tuned, telling=QUIET)
    with pytest.raises(ValueError, match=r"is a run of `ntkit fit`: go on with `ntkit fit"):
        resume_tune(fitted.folder)
    with pytest.raises(ValueError, match=r"is a run of `ntkit tune`: go on with `ntkit tune"):
        resume_fit(chosen.folder)
    listed = {e.job: e for e in list_runs(fitted.folder.parent)}
    assert listed.keys() == {"fit", "tune"}
    assert listed["fit"].choice == "gaussian 2"
    assert {e.state for e in listed.values()} == {"done"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bandwidth": None}, "`--encoding gaussian` needs `--bandwidth`"),
        ({"encoding": "nerf", "bandwidth": None}, "`--encoding nerf` needs `--bandwidth`"),
        ({"encoding": "identity"}, "`--bandwidth 2` is of an encoding that has one"),
        ({"bandwidth": -2.0}, "`bandwidth=-2.0` must be"),
        ({"encoding": "auto"}, "`--bandwidth 2` is of an encoding that has one"),
        ({"like": Path("runs/x")}, "`--like` takes the encoding of another run"),
        ({"budget": "soon"}, "30s, 5min or 2h"),
        ({"budget": "0.2s"}, "from 1 s to a week"),
        ({"budget": "999h"}, "from 1 s to a week"),
        ({"width": 0}, "`width=0` must be from 1"),
        ({"batch_size": 0}, "`batch_size=0` must be from 1"),
        ({"seed": -1}, "`seed=-1` must be from 0"),
        ({"hold_out": 1.0}, r"`hold_out=1.0` must be a share"),
        ({"device": "abacus"}, "`device='abacus'` is not on this machine"),
        ({"start": 1.0}, "`--start` is not for image"),
        ({"every": 2}, "`--every` is not for image"),
        ({"columns": ("x",)}, "`--columns` is not for image"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_nothing_is_written_on_a_mistake(
    spec: FitSpec, change: dict[str, object], message: str
) -> None:
    wrong = replace(spec, **change)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=message):
        run_fit(wrong, telling=QUIET)
    assert wrong.out is not None
    assert not wrong.out.exists()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("1.5min", 90), ("5min", 300), ("2h", 7200), ("adam:1e-3:10 s", 10), ("300", None)],
)  # fmt: skip
def test_budgets_of_time(text: str, seconds: float | None) -> None:
    assert parse_budget(text, 64).seconds == seconds


def test_a_time_becomes_steps_that_a_resume_takes_again(
    spec: FitSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    steps = iter([12, 99])
    monkeypatch.setattr("ntkit.experiments.run_start.steps_within", lambda *_: next(steps))
    with stopping(monkeypatch, 5, kill), pytest.raises(Killed):
        run_fit(replace(spec, budget="sgd:0.01:5min"), telling=QUIET)
    run = resume_fit(tmp_path / "fit", telling=QUIET)
    assert (run.budget.optimiser, run.budget.lr, run.budget.steps) == ("sgd", 0.01, 12)
    assert run.proof.evaluations[-1].step == 12


@pytest.mark.filterwarnings("ignore:.*overflow")
def test_a_fit_that_diverges_is_kept_as_one_that_did(spec: FitSpec, tmp_path: Path) -> None:
    with pytest.raises(NumericalError, match="diverge"):
        run_fit(replace(spec, budget="adam:1e9:20"), telling=QUIET)
    assert list_runs(tmp_path)[0].state == "diverged"
    found = ntkit.load(tmp_path / "fit")
    assert not found.partial
    assert found.diverged
    with pytest.raises(NumericalError, match=r"diverge.*learning rate"):
        resume_fit(tmp_path / "fit", telling=QUIET)
    with pytest.raises(ValueError, match="has no network: its training diverged"):
        _ = found.network
    like = replace(spec, like=tmp_path / "fit", encoding="auto", bandwidth=None, out=tmp_path / "b")
    with pytest.raises(ValueError, match="has no recommendation: its training diverged"):
        run_fit(like, telling=QUIET)
    assert not (tmp_path / "b").exists()


def test_a_spec_survives_its_file(spec: FitSpec) -> None:
    assert FitSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    with pytest.raises(ValueError, match="`encoding` in the spec must be 'auto' or"):
        FitSpec.from_dict({"data": "a.png", "encoding": "wavelet"})
    with pytest.raises(ValueError, match="names no `data`"):
        FitSpec.from_dict({"job": "fit"})


def test_a_dark_picture_that_is_hardly_learned_did_not_diverge(
    spec: FitSpec, tmp_path: Path
) -> None:
    """A sigmoid begins at one half, and few steps do not take that away."""
    dark = np.zeros((24, 32))
    dark[3, 5] = 1.0
    np.save(tmp_path / "waves.npy", dark)
    run = run_fit(replace(spec, budget="sgd:1e-3:1", sigmoid=True), telling=QUIET)
    assert run.proof.evaluations[-1].train > 10 * float((dark**2).mean())


def test_axes_of_another_kind_have_their_share_of_the_bandwidth_that_is_asked_for(
    spec: FitSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for kinds, axes in ((((1.0, 0.5),), (1.0, 0.5)), (((1.0, 0.5), (1.0, 2.0)), ())):
        monkeypatch.setattr(Image, "axis_factors", kinds)
        run = run_fit(replace(spec, out=tmp_path / f"kinds-{len(kinds)}"), telling=QUIET)
        assert run.candidate == Candidate("gaussian", 2.0, axes)
