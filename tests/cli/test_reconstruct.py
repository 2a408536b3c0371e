"""`ntkit simulate` and `ntkit reconstruct` from the command line: data, run folder, refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("png")
pytest.importorskip("tifffile")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit
from ntkit.experiments import reconstruct_run
from tests.cli.test_main import call
from tests.experiments.reconstructions import quick, write_sinogram

ASKED = ["--angles", "0:180:12", "--size", "16", "--threads", "1"]


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sinogram, its truth, k-space and a picture; solvers and figures take no time."""

    def draw(run, _: object) -> None:
        (run.folder / "images.png").write_bytes(b"")

    monkeypatch.setattr(reconstruct_run, "reconstruct", quick)
    monkeypatch.setattr(reconstruct_run, "draw_reconstruction", draw)
    monkeypatch.chdir(tmp_path)
    write_sinogram(Path("disc-ct.npy"))
    y, x = np.mgrid[0:24, 0:20] / 24
    np.save("photo.npy", 0.5 + 0.4 * np.sin(9 * x + 5 * y))
    np.save("mask.npy", np.arange(480).reshape(24, 20) % 2 == 0)
    np.save("k.npy", np.fft.fftshift(np.fft.fft2(np.load("photo.npy"))))
    return tmp_path


def test_from_a_picture_to_a_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: Path
) -> None:
    for kind, more in (("ct", ["--views", "8"]), ("mri", ["--coils", "2"])):
        assert call(monkeypatch, "simulate", kind, "photo.npy", "--size", "16", *more) == 0
        printed = capsys.readouterr().out
        assert printed.splitlines()[0] == f"photo-{kind}.npy"
        assert printed.endswith(f"Now: ntkit reconstruct {kind} photo-{kind}.npy\n")
        assert call(monkeypatch, "reconstruct", kind, f"photo-{kind}.npy", "--threads", "1") == 0
        printed = capsys.readouterr()
        assert f"from `photo-{kind}.json`, which is beside the data" in printed.err
        assert "against the truth" in printed.out
        assert f"Report: runs/reconstruct-photo-{kind}/report.html" in printed.out
    assert call(monkeypatch, "simulate", "ct", "photo.npy", "--size", "16") == 2
    assert "is there already" in capsys.readouterr().err


def test_json_quiet_config_and_force(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: Path
) -> None:
    asked = ["reconstruct", "ct", "disc-ct.npy", *ASKED]
    assert call(monkeypatch, *asked, "--bounds=-1,none", "--prior", "ntk:4,rbf:0.1", "--json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    found = json.loads(printed.out)
    folder = "runs/reconstruct-disc-ct"
    assert found == {"folder": folder, **json.loads(Path(folder, "result.json").read_text())}
    assert (found["job"], found["of"], found["partial"]) == ("reconstruct", "ct", False)
    assert found["choice"]["bounds"] == [-1, None]
    again = ["reconstruct", "ct", "--config", f"{folder}/spec.json", "--seed", "3", "--quiet"]
    assert call(monkeypatch, *again, "--out", "b") == 0
    assert capsys.readouterr().out == "b\n"
    first, second = (json.loads(Path(p, "spec.json").read_text()) for p in (folder, "b"))
    assert second == {**first, "seed": 3, "out": "b"}
    assert call(monkeypatch, *again, "--out", "b") == 2
    assert "--force" in capsys.readouterr().err
    assert call(monkeypatch, *again, "--out", "b", "--force", "--no-error-bars") == 0
    assert not Path("b/deviation.npy").exists()
    assert call(monkeypatch, "reconstruct", "mri", "--config", "b/spec.json") == 2
    assert "pass `ntkit reconstruct ct` instead" in capsys.readouterr().err
    assert call(monkeypatch, "tune", "--config", "b/spec.json") == 2
    assert "pass `ntkit reconstruct ct` instead" in capsys.readouterr().err


def test_runs_are_listed_and_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: Path
) -> None:
    assert call(monkeypatch, "reconstruct", "image", "photo.npy", "--mask", "mask.npy", "-h") == 0
    assert "--blur" in capsys.readouterr().out
    asked = ["reconstruct", "image", "photo.npy", "--mask", "mask.npy", "--out", "run", "--quiet"]
    assert call(monkeypatch, *asked) == 0
    assert call(monkeypatch, "reconstruct", "image", "--resume", "run", "--quiet") == 0
    assert capsys.readouterr().out == "run\nrun\n"
    assert call(monkeypatch, "fit", "--resume", "run") == 2
    assert "pass `ntkit reconstruct image` instead" in capsys.readouterr().err
    assert call(monkeypatch, "runs", ".", "--json") == 0
    entry = json.loads(capsys.readouterr().out)[0]
    assert (entry["job"], entry["state"]) == ("reconstruct image", "done")
    assert entry["choice"] == ntkit.load("run").choice_in_words  # pyright: ignore[reportAttributeAccessIssue]
    assert call(monkeypatch, "runs", ".") == 0
    assert call(monkeypatch, "render", "run", "--out", "a.png") == 2
    error = capsys.readouterr().err
    assert "has no network" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("ct none.npy --angles 0:180:12", "does not exist"),
        ("ct . --angles 0:180:12", "`.` is a folder"),
        ("image . --factor 2", "`.` is a folder"),
        ("ct disc-ct.npy", "`--angles` of the 12 views"),
        ("ct disc-ct.npy --angles", "nothing was given"),
        ("ct disc-ct.npy --angles 0:180:12 --prior", "`--prior` names no kernel"),
        ("ct disc-ct.npy --angles 0:180:16", "Pass `--transpose`"),
        ("ct disc-ct.npy --angles 0:180:12 --size 16 --truth k.npy", "has shape (24, 20)"),
        ("ct disc-ct.npy --angles 0:180:12 --prior ntk", "`--prior ntk` must be NAME:NUMBER"),
        ("ct disc-ct.npy --angles 0:180:12 --prior smooth:1", "with a name of ntk"),
        ("ct disc-ct.npy --angles 0:180:12 --bounds 2 1", "the lower one first"),
        (
            "ct disc-ct.npy --angles 0:180:12 --no-total-variation --total-variation 1",
            "asked for together",
        ),
        ("ct k.npy --angles 0:180:24", "real numbers"),
        ("mri photo.npy", "k-space is complex"),
        ("mri k.npy --slice 2", "`--slice 2` is of HDF5"),
        ("mri k.npy --bounds 0,1", "complex field"),
        ("image photo.npy", "needs `--mask`"),
        ("image photo.npy --factor 100", "must be from 1 to 64"),
        ("image photo.npy --mask k.npy", "real numbers"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    there: Path,
    arguments: str,
    message: str,
) -> None:
    if "--bounds 0,1" in arguments:  # of the library itself
        monkeypatch.setattr(reconstruct_run, "reconstruct", ntkit.reconstruct)
    before = set(there.rglob("*"))
    assert call(monkeypatch, "reconstruct", *arguments.split()) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ntkit: ")
    assert error.count("\n") == 1
    assert set(there.rglob("*")) - before <= {there / "runs"}  # which stays, empty


def test_a_sinogram_without_a_kind_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], there: Path
) -> None:
    assert call(monkeypatch, "reconstruct", "disc-ct.npy") == 2
    assert call(monkeypatch, "reconstruct", "--help") == 0
    assert "projections" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGTERM"), reason="signals of POSIX")
def test_a_run_that_is_stopped_is_made_again(tmp_path: Path) -> None:
    write_sinogram(tmp_path / "disc-ct.npy", side=64, views=30)
    command = [sys.executable, "-m", "ntkit", "reconstruct", "ct"]
    asked = [str(tmp_path / "disc-ct.npy"), "--angles", "0:180:30", "--threads", "1"]
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*command, *asked, "--out", str(folder)], stderr=subprocess.PIPE, env={**os.environ}
    )
    while not (folder / "spec.json").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"Traceback" not in error
    assert b"--resume" in error
    assert json.loads((folder / "result.json").read_text())["partial"] is True
    (folder / "spec.json").write_text(
        json.dumps({**json.loads((folder / "spec.json").read_text()), "size": [16]})
    )  # which is sooner made
    done = subprocess.run(
        [*command, "--resume", str(folder), "--quiet"], capture_output=True, timeout=300, check=True
    )
    assert done.stdout.decode() == f"{folder}\n"
    assert ntkit.load(folder).field.shape == (16, 16)  # pyright: ignore[reportAttributeAccessIssue]
