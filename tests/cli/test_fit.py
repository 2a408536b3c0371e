"""`ntkit fit`, `ntkit render` and `ntkit runs` as they are typed."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("png")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit
from ntkit.experiments.results import FitRun, TuneRun
from tests.cli.small import SMALL
from tests.cli.test_main import call
from tests.spheres import cameras, pictures
from tests.tasks.solids import sphere

GAUSSIAN = ["--encoding", "gaussian", "--bandwidth", "2", "--quiet"]


def test_a_fit_is_rendered_once_at_a_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert call(monkeypatch, "fit", "image.npy", *SMALL, *GAUSSIAN) == 0
    assert capsys.readouterr().out == "runs/fit-image\n"
    run = "runs/fit-image"
    assert call(monkeypatch, "render", run, "--out", "a.npy") == 0
    own = ntkit.load(run).render()
    np.testing.assert_allclose(np.load("a.npy"), own.numbers[..., 0], rtol=1e-5)
    assert call(monkeypatch, "render", run, "--out", "a.npy") == 2
    assert "is there already" in capsys.readouterr().err
    assert call(monkeypatch, "render", run, "--out", "a.npy", "--force", "--scale", "2") == 0
    assert np.load("a.npy").shape == (24, 32)
    assert call(monkeypatch, "render", run, "--out", "b.npy", "--size", "30,20") == 0
    assert np.load("b.npy").shape == (30, 20)
    cropped = ["--out", "c.npy", "--crop", "2:8,:10", "--scale", "2"]
    assert call(monkeypatch, "render", run, *cropped) == 0
    np.testing.assert_allclose(np.load("c.npy"), np.load("a.npy")[4:16, :20], atol=1e-5)
    assert call(monkeypatch, "render", run, "--out", "a.png") == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--crop", "2:8"], "must be from:to for each of 2 axes"),
        (["--crop", "2-8", "3:4"], "must be from:to for each of 2 axes"),
        (["--crop", "2:8", "3:99"], "inside of 12 x 16 samples"),
        (["--size", "4"], "must be 2 numbers"),
        (["--size", "0", "3"], "at least 1 sample"),
        (["--size", "999999", "999999"], "more than a memory holds"),
        (["--scale", "0"], "must be above 0"),
        (["--scale", "nan"], "must be above 0"),
        (["--scale", "inf"], "must be above 0"),
        (["--scale", "2", "--size", "3", "3"], "given without `--size`"),
        (["--rate", "8000"], "`--rate` is not for this run"),
        (["--out", "a.xyz"], "no image is written"),
        (["--out", "none/a.png"], "none"),
    ],
    ids=" ".join,
)
def test_what_rendering_refuses(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Path,
    options: list[str],
    message: str,
) -> None:
    assert call(monkeypatch, "fit", "image.npy", *SMALL, *GAUSSIAN, "--out", "run") == 0
    out = [] if "--out" in options else ["--out", "a.png"]
    assert call(monkeypatch, "render", "run", *out, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "image.npy", "--encoding", "gaussian"], "needs `--bandwidth`"),
        (["fit", "image.npy", "--start", "1"], "`--start` is not for image"),
        (["tune", "image.npy", "--every", "2"], "`--every` is not for image"),
        (["fit", "audio.npy", "--mask", "image.npy"], "`--mask` is not for audio"),
        (["fit", "points.csv", "--downscale", "2"], "`--downscale` is not for points"),
        (["fit", "image.npy", "--like", "none"], "is no folder"),
        (
            [
                "fit",
                "image.npy",
                "--encoding",
                "siren",
                "--bandwidth",
                "2",
                "--precision",
                "bfloat16",
            ],
            "is of networks that begin with Fourier features",
        ),
        (["fit", "image.npy", "--out", "points.csv"], "cannot be written"),
        (["fit", "none.wav"], "does not exist"),
        (["render", "none", "--out", "a.png"], "is no folder"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_one_line_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Path,
    arguments: list[str],
    message: str,
) -> None:
    before = set(here.rglob("*"))
    assert call(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ntkit: ")
    assert error.count("\n") == 1
    assert set(here.rglob("*")) - before <= {here / "runs"}  # which stays, empty


def test_a_fit_in_bfloat16_says_so_and_is_kept_so(
    monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    asked = ["fit", "image.npy", *SMALL, *GAUSSIAN, "--precision", "bfloat16", "--out", "half"]
    assert call(monkeypatch, *asked) == 0
    run = ntkit.load("half")
    assert isinstance(run, FitRun)
    assert run.budget.precision == "bfloat16"
    assert call(monkeypatch, "fit", "--config", "half/spec.json", "--out", "again") == 0
    first, again = (ntkit.load(name).render().numbers for name in ("half", "again"))
    np.testing.assert_array_equal(again, first)
    plain = json.loads((here / "half/spec.json").read_text()) | {"precision": "float32"}
    (here / "plain.json").write_text(json.dumps(plain))
    assert call(monkeypatch, "fit", "--config", "plain.json", "--out", "plain") == 0
    assert not np.array_equal(ntkit.load("plain").render().numbers, first)
    assert "bfloat16" in (here / "half/report.html").read_text()


def test_a_run_is_gone_on_with_by_its_own_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert call(monkeypatch, "fit", "audio.npy", *SMALL, *GAUSSIAN, "--out", "run") == 0
    assert call(monkeypatch, "fit", "--resume", "run", "--quiet") == 0
    assert capsys.readouterr().out == "run\nrun\n"
    assert call(monkeypatch, "tune", "--resume", "run") == 2
    error = capsys.readouterr().err
    assert "That run is one of `ntkit fit`" in error
    assert error.count("\n") == 1
    again = ["fit", "--config", "run/spec.json", "--seed", "2", "--out", "b", "--json"]
    assert call(monkeypatch, *again) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["job"], found["kind"], found["bandwidth"]) == ("fit", "audio", 2)
    assert call(monkeypatch, "runs", ".", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert {(e["folder"], e["job"], e["state"]) for e in listed} == {
        ("b", "fit", "done"),
        ("run", "fit", "done"),
    }


@pytest.mark.parametrize(
    ("data", "kind"), [("image.npy", "audio"), ("video.npy", "video"), ("volume.npy", "volume")]
)
def test_what_a_file_is_can_be_said(
    monkeypatch: pytest.MonkeyPatch, here: Path, data: str, kind: str
) -> None:
    if data == "image.npy":
        np.save(data, np.load(data)[:, :2])
    assert call(monkeypatch, "fit", data, "--as", kind, *SMALL, *GAUSSIAN, "--out", "run") == 0
    assert ntkit.load("run").domain.kind == kind


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "kind", "out", "options"),
    [
        ("image.npy", "image", "a.png", ["--scale", "2"]),
        ("audio.npy", "audio", "a.npy", ["--rate", "2"]),
        ("volume.npy", "volume", "a.npy", ["--scale", "1.5"]),
        ("video.npy", "video", "a.gif", ["--crop", "0:4", "2:8", "2:8"]),
        ("points.csv", "points", "a.csv", ["--size", "5", "6"]),
    ],
)
def test_every_kind_is_tuned_for_fitted_and_rendered(
    monkeypatch: pytest.MonkeyPatch, here: Path, data: str, kind: str, out: str, options: list[str]
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(here)
    few = ["--bandwidths", "1", "2", "--encodings", "gaussian", "--quiet"]
    assert call(monkeypatch, "tune", data, *SMALL, *few, "--out", "tuned") == 0
    hold_out = ["--hold-out", "0.1"]
    assert call(monkeypatch, "fit", data, *SMALL, *GAUSSIAN, *hold_out, "--out", "fitted") == 0
    for run in ("tuned", "fitted"):
        assert ntkit.load(run).domain.kind == kind
        assert (Path(run) / "images.png").stat().st_size > 0
        assert kind in (Path(run) / "report.html").read_text() or kind == "points"
        assert call(monkeypatch, "render", run, "--out", out, "--force", *options) == 0
        assert Path(out).stat().st_size > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "how", "out", "options"),
    [
        ("shape", ["--n-points", "3000"], "a.ply", ["--size", "12"]),
        ("shape", ["--n-points", "3000", "--signed-distance"], "a.gif", ["--size", "12"]),
        ("field", ["--n-samples", "16"], "a.png", ["--size", "8", "9"]),
        ("field", ["--n-samples", "16"], "a.gif", ["--frames", "3"]),
    ],
)
def test_what_has_no_kernel_is_tuned_by_models_fitted_and_rendered(
    monkeypatch: pytest.MonkeyPatch,
    here: Path,
    kind: str,
    how: list[str],
    out: str,
    options: list[str],
) -> None:
    pytest.importorskip("igl")
    monkeypatch.undo()
    monkeypatch.chdir(here)
    vertices, faces = sphere(2)
    np.savez("shape.npz", vertices=vertices, faces=faces)
    seen = cameras(8)
    np.savez(
        "field.npz",
        images=np.rint(255 * np.stack(pictures(seen))).astype(np.uint8),
        poses=np.array([[*camera.pose, (0, 0, 0, 1)] for camera in seen]),
        focal=np.float32(seen[0].focal[0]),
        near=np.float32(1.0),
        far=np.float32(4.0),
        n_train=np.int64(6),
    )
    data = [f"{kind}.npz", *how, "--as", kind]
    size = ["--budget", "150", "--width", "24", "--depth", "2", "--n-frequencies", "24"]
    few = ["--bandwidths", "1", "2", "--encodings", "identity", "gaussian", "--families", "mlp"]
    size += ["--batch-size", "256", "--threads", "1", "--quiet"]
    assert call(monkeypatch, "tune", *data, *size, *few, "--out", "tuned") == 0
    run = ntkit.load("tuned")
    assert isinstance(run, TuneRun)
    assert run.result.by_models
    assert [str(row.candidate) for row in run.result.table] == [
        "identity",
        "gaussian 1",
        "gaussian 2",
    ]
    assert (Path("tuned") / "spectrum.png").exists() == (kind == "shape")
    assert (Path("tuned") / "turntable.gif").exists()
    assert "by scale models" in (Path("tuned") / "report.html").read_text()
    assert call(monkeypatch, "fit", *data, *size, "--like", "tuned", "--out", "fitted") == 0
    fitted = ntkit.load("fitted")
    assert isinstance(fitted, FitRun)
    assert (
        fitted.candidate.family == "mlp"
    )  # chosen again only where more views make the box smaller
    assert kind == "field" or fitted.candidate == run.result.choice
    for each in ("tuned", "fitted"):
        assert call(monkeypatch, "render", each, "--out", out, "--force", *options) == 0
        assert Path(out).stat().st_size > 0


def test_a_network_that_cannot_be_built_leaves_no_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    hashed = ["--encoding", "hash", "--bandwidth", "1e9"]
    assert call(monkeypatch, "fit", "image.npy", *SMALL, *hashed) == 2
    assert "`bandwidth=1e+09` needs a grid" in capsys.readouterr().err
    assert not Path("runs/fit-image").exists()
