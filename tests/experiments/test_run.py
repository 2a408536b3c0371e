"""A run folder holds what was found, is nobody else's, and is gone on with where it stopped."""

import json
import shutil
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

from ntkit._core.errors import NumericalError  # noqa: E402
from ntkit.experiments import training  # noqa: E402
from ntkit.experiments.budgets import parse_budget  # noqa: E402
from ntkit.experiments.interruption import Interruption  # noqa: E402
from ntkit.experiments.progress import Telling  # noqa: E402
from ntkit.experiments.report import write_report  # noqa: E402
from ntkit.experiments.run_folder import RunFolder  # noqa: E402
from ntkit.experiments.run_from_json import read_run  # noqa: E402
from ntkit.experiments.spec import TuneSpec  # noqa: E402
from ntkit.experiments.tune_run import resume_tune, run_tune  # noqa: E402
from ntkit.tasks import Image, psnr  # noqa: E402
from tests.experiments.small_runs import leave_undrawn, waves  # noqa: E402
from tests.experiments.stopping import Killed, kill, stopping  # noqa: E402

QUIET = Telling(show_progress=False)
PICTURES = {"bandwidth", "spectrum", "learning", "images"}


@pytest.fixture
def spec(tmp_path: Path) -> TuneSpec:
    return TuneSpec(
        data=waves(tmp_path / "waves.npy", 24, 32),
        budget="adam:3e-3:40",
        width=16,
        depth=2,
        n_frequencies=16,
        bandwidths=(1.0, 2.0, 4.0),
        out=tmp_path / "run",
        threads=1,
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)


def written(folder: Path) -> dict[str, object]:
    return json.loads((folder / "result.json").read_text())


def weights(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {p.stem: safetensors.load_file(p) for p in folder.glob("*.safetensors")}


@pytest.mark.slow
def test_the_folder_holds_the_run(spec: TuneSpec) -> None:
    run = run_tune(spec, telling=QUIET)
    result = written(run.folder)
    assert result["encoding"] == run.result.choice.name
    assert result["partial"] is False
    assert result["format"] == 3
    assert json.loads((run.folder / "spec.json").read_text())["budget"] == "adam:3e-3:40"
    assert {path.stem for path in run.folder.glob("*.png")} == PICTURES
    page = (run.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(PICTURES)
    assert "http" not in page.replace("http-equiv", "")  # self-contained
    assert run.result.code in page
    left = {p.name for p in run.folder.iterdir()} - {f"{name}.png" for name in PICTURES}
    assert left == {
        *("spec.json", "result.json", "report.html", ".lock"),
        *("recommended.safetensors", "no_encoding.safetensors"),
    }


@pytest.mark.usefixtures("undrawn")
def test_the_weights_give_the_measured_error(spec: TuneSpec) -> None:
    run = run_tune(spec, telling=QUIET)
    proof = run.proofs[0]
    network = run.result.build(run.result.choice)
    network.load_state_dict(safetensors.load_file(run.folder / "recommended.safetensors"))
    signal = Image(spec.data)
    with torch.no_grad():
        image = network(signal.grid.points().float()).reshape(*signal.shape, 1)
    train, held_out = signal.errors(image)
    assert psnr(train) == pytest.approx(proof.train_quality, abs=1e-4)
    assert psnr(held_out) == pytest.approx(proof.held_out_quality, abs=1e-4)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_same_spec_gives_the_same_result(spec: TuneSpec) -> None:
    def figures() -> dict[str, object]:
        run_tune(spec, force=True, telling=QUIET)
        result = written(spec.out)
        return {k: result[k] for k in ("table", "encoding", "bandwidth", "curves")}

    assert figures() == figures()


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("symmetrise", [False, True])
def test_a_run_is_read_back_as_it_was(spec: TuneSpec, symmetrise: bool) -> None:
    run = run_tune(replace(spec, symmetrise=symmetrise), telling=QUIET)
    again = read_run(run.folder)
    assert again.spec == run.spec
    assert (again.shape, again.notes, again.started) == (run.shape, run.notes, run.started)
    assert not again.partial
    frequencies = [dict(one.result.encoding.named_buffers())["frequencies"] for one in (run, again)]
    assert torch.equal(*frequencies)
    own, back = vars(run.result), vars(again.result)
    for name in own.keys() - {"encoding", "clock"}:
        assert own[name] == back[name], name
    assert str(own["clock"]) == str(back["clock"])  # nan
    assert [vars(p) for p in again.proofs] == [vars(p) for p in run.proofs]


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("at", [1, 17, 40, 41, 70])
def test_a_killed_run_that_is_gone_on_with_ends_like_one_that_was_not(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int
) -> None:
    """Nothing of the process but its files survives; checkpoints after each step."""

    monkeypatch.setattr(training, "_SECONDS", -1.0)
    whole = run_tune(replace(spec, out=tmp_path / "whole"), telling=QUIET)
    with stopping(monkeypatch, at, kill), pytest.raises(Killed):
        run_tune(spec, telling=QUIET)
    assert written(spec.out)["partial"] is True
    run = resume_tune(spec.out, telling=QUIET)
    assert not run.partial
    expected, found = weights(whole.folder), weights(run.folder)
    assert found.keys() == expected.keys() == {"recommended", "no_encoding"}
    for name, tensors in expected.items():
        for key, value in tensors.items():
            assert torch.equal(found[name][key], value), (name, key)
    of_time = {"started", "seconds", "verified"}
    before, after = written(whole.folder), written(run.folder)
    assert {k: before[k] for k in before.keys() - of_time} == {
        k: after[k] for k in after.keys() - of_time
    }


@pytest.mark.usefixtures("undrawn")
def test_a_stopped_run_keeps_what_it_reached_and_goes_on(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    interruption = Interruption()

    def stop() -> None:
        interruption.signal = 15

    with stopping(monkeypatch, 30, stop):
        run = run_tune(spec, telling=Telling(show_progress=False, interruption=interruption))
    assert run.partial
    assert run.interrupted
    assert 1 <= run.proofs[0].evaluations[-1].step <= 30
    assert written(run.folder)["partial"] is True
    assert "interrupted" in (run.folder / "report.html").read_text()
    assert {"recommended", "checkpoint"} == weights(run.folder).keys()
    again = resume_tune(run.folder, telling=QUIET)
    assert not again.partial
    assert [p.finished for p in again.proofs] == [True, True]
    assert not (run.folder / "checkpoint.safetensors").exists()
    assert "interrupted" not in (run.folder / "report.html").read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_run_killed_before_its_recommendation_is_started_again(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ntkit.experiments.tune_run.tune", killed)
        with pytest.raises(KeyboardInterrupt):
            run_tune(spec, telling=QUIET)
    assert written(spec.out)["partial"] is True
    for name in (".spectrum.123.part.png", ".mine.part.png"):  # half written by the kill; not ours
        (spec.out / name).write_text("")
    with pytest.raises(ValueError, match="stopped before there was a result"):
        read_run(spec.out)
    assert not resume_tune(spec.out, telling=QUIET).partial
    assert [path.name for path in spec.out.glob(".*.part*")] == [".mine.part.png"]


@pytest.mark.usefixtures("undrawn")
def test_what_resuming_refuses(spec: TuneSpec, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no folder"):
        resume_tune(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"holds no spec\.json"):
        resume_tune(tmp_path)
    run = run_tune(replace(spec, verify=False), telling=QUIET)
    result = written(run.folder)
    (run.folder / "result.json").write_text(json.dumps({**result, "partial": True}))
    np.save(spec.data, np.load(spec.data)[::-1])
    with pytest.raises(ValueError, match="is no longer what the run in"):
        resume_tune(run.folder)
    (run.folder / "result.json").write_text(json.dumps({**result, "format": 99}))
    with pytest.raises(ValueError, match="has format 99"):
        resume_tune(run.folder)
    (run.folder / "result.json").write_text('{"format": 2, "table": [3]')
    with pytest.raises(ValueError, match="is no JSON"):
        resume_tune(run.folder)
    (run.folder / "result.json").write_text('{"format": 2, "table": [3]}')
    with pytest.raises(ValueError, match="is damaged"):
        read_run(run.folder)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_no_run_overwrites_another(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither one of the same name, nor a folder that was asked for, nor what else is in it."""
    monkeypatch.chdir(tmp_path)
    quick = replace(spec, verify=False, out=None)
    (tmp_path / "b").mkdir()
    other = shutil.copy(spec.data, tmp_path / "b")
    first = run_tune(quick, telling=QUIET)
    second = run_tune(replace(quick, data=Path(other)), telling=QUIET)
    assert first.folder == Path("runs/tune-waves")
    assert second.folder == Path("runs/tune-waves-2")
    before = written(first.folder)
    named = replace(quick, out=first.folder)
    with pytest.raises(FileExistsError, match=r"holds something already.*--resume .*--force"):
        run_tune(named, telling=QUIET)
    assert written(first.folder) == before
    (first.folder / "my notes.png").write_text("mine")
    run_tune(replace(named, goal="fit"), force=True, telling=QUIET)
    assert written(first.folder)["goal"] == "fit"
    assert (first.folder / "my notes.png").read_text() == "mine"
    with RunFolder(first.folder).locked():
        for call in (
            lambda: run_tune(named, force=True, telling=QUIET),
            lambda: resume_tune(first.folder),
        ):
            with pytest.raises(FileExistsError, match="is being written by another run"):
                call()


@pytest.mark.parametrize("name", ["report.html", "images.png", "result.json", "spec.json"])
def test_force_does_not_take_a_file_that_is_no_runs(spec: TuneSpec, name: str) -> None:
    """A folder of somebody's own may hold a file by a name of ours."""
    spec.out.mkdir()
    (spec.out / name).write_text("{}")
    with pytest.raises(FileExistsError, match=f"holds a `{name}` and no run.*another folder"):
        run_tune(spec, force=True, telling=QUIET)
    assert (spec.out / name).read_text() == "{}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"budget": "soon"}, "must be a number of steps"),
        ({"budget": "rmsprop:1:2"}, "must be"),
        ({"budget": "1000000000"}, "would take weeks"),
        ({"encodings": ("wavelet",)}, "must name some of"),
        ({"bandwidths": (-1.0,)}, "above 0"),
        ({"threads": 0}, "at least 1"),
        ({"threads": 999}, "more than the .* cores"),
        ({"downscale": 0}, "from 1 to"),
        ({"seed": 2**70}, "from 0 to"),
        ({"n_frequencies": 100_000}, "from 1 to"),
        ({"width": 0}, "from 1 to"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_nothing_is_written_on_a_mistake(
    spec: TuneSpec, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run_tune(replace(spec, **change), telling=QUIET)  # pyright: ignore[reportArgumentType]
    assert not spec.out.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("budget", ["adam:1e9:10", "adam:1e9:40", "sgd:1e6:20"])
def test_nothing_is_recommended_where_training_diverges(spec: TuneSpec, budget: str) -> None:
    with pytest.raises(NumericalError, match=r"diverge.*learning rate"):
        run_tune(replace(spec, budget=budget), telling=QUIET)
    if spec.out.exists():  # the proof diverged, not the choice
        assert written(spec.out)["encoding"] is None
        assert written(spec.out)["diverged"]


def test_a_folder_that_cannot_be_written(spec: TuneSpec, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        run_tune(replace(spec, out=tmp_path / "file" / "run"), telling=QUIET)


@pytest.mark.usefixtures("undrawn")
def test_a_full_disk_names_the_file_and_leaves_the_old_one(
    spec: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_tune(replace(spec, verify=False), telling=QUIET)
    before = (run.folder / "report.html").read_text()
    real = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        real(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"report\.html` could not be written: No space left"):
        write_report(run)
    monkeypatch.undo()
    assert (run.folder / "report.html").read_text() == before
    assert not list(run.folder.glob(".*part*"))


@pytest.mark.slow
def test_long_work_is_announced(spec: TuneSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("ntkit.experiments.run_start._SECONDS_A_MEGASAMPLE", 1.0)
    run_tune(
        replace(spec, verify=False), telling=Telling(show_progress=False, on_notice=said.append)
    )
    assert said == []
    monkeypatch.setattr("ntkit.experiments.run_start._SECONDS_A_MEGASAMPLE", 240 / (24 * 32) * 1e6)
    run_tune(
        replace(spec, verify=False),
        force=True,
        telling=Telling(show_progress=False, on_notice=said.append),
    )
    assert said == [
        "24 x 32 samples: the choice will take about 4 min. `--downscale 3` takes half a minute, for the "
        "smaller image."
    ]


@pytest.mark.slow
def test_the_report_has_one_name_for_a_thing(spec: TuneSpec) -> None:
    run = run_tune(spec, command="ntkit tune 'my waves.npy'", telling=QUIET)
    page = (run.folder / "report.html").read_text()
    for word in ("identity", "no end", "1 steps", " inf ", ">inf<", " nan", ">nan"):
        assert word not in page, word
    assert "ntkit tune &#39;my waves.npy&#39;" in page
    assert run.started[:10] in page


def test_budgets() -> None:
    assert parse_budget("300", 64).budget.steps == 300
    assert parse_budget("sgd:0.5:20", 64).budget.optimiser == "sgd"
    with pytest.raises(ValueError, match="optimiser:rate:steps"):
        parse_budget("adam:1:2:3", 64)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "names no `data`"),
        ({"data": "a.png", "sigma": 3}, "`sigma` in the spec is no option"),
        ({"data": 3}, "`data` in the spec must be"),
        ({"data": "a.png", "goal": "win"}, "`goal` in the spec must be 'generalise' or 'fit'"),
        ({"data": "a.png", "width": "wide"}, "`width` in the spec must be"),
        ({"data": "a.png", "width": True}, "`width` in the spec must be"),
        ({"data": "a.png", "bandwidths": [1, "x"]}, "`bandwidths` in the spec must be"),
    ],
)
def test_specs_that_are_refused(content: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TuneSpec.from_dict(content)


def test_a_spec_survives_its_file(spec: TuneSpec) -> None:
    assert TuneSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
