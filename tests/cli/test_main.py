"""The command line: a mistake is one line and exit code 2."""

import json
import os
import platform
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import IO

import numpy as np
import pytest
import torch

pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

import ntkit
import ntkit_command
from ntkit._core.threads import free_cores
from ntkit.cli.main import main
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.tune_process import TuneProcess


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ntkit", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    code = stopped.value.code
    return 0 if code is None else int(code)


def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert call(monkeypatch, "tune", str(tmp_path / "none.png")) == 2
    error = capsys.readouterr().err
    assert error.startswith("ntkit: ")
    assert "does not exist" in error
    assert error.count("\n") == 1


def test_an_unknown_option_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "tune", "a.png", "--sigma", "3") == 2
    printed = capsys.readouterr()
    assert "--sigma" in printed.err + printed.out


def test_tune_prints_the_line_to_paste(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    x = np.arange(128) / 128
    np.save(tmp_path / "line.npy", 0.5 + 0.4 * np.sin(40 * x**2))
    options = "--budget 50 --width 16 --depth 2 --n-frequencies 16 --bandwidths 2 8 --threads 1"
    out = tmp_path / "run"
    code = call(
        monkeypatch, "tune", str(tmp_path / "line.npy"), *options.split(), "--out", str(out)
    )
    printed = capsys.readouterr().out
    assert code == 0
    assert "encoding = ntkit.encodings." in printed
    assert "bicubic" in printed
    assert (out / "report.html").exists()


def test_info(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "info") == 0
    versions, machine = capsys.readouterr().out.splitlines()
    assert versions == (
        f"ntkit {version('ntkit')}, torch {torch.__version__}, Python {platform.python_version()}"
    )
    assert machine.startswith(f"{free_cores()} free cores; CUDA ")


SMALL = ["--budget", "20", "--width", "8", "--depth", "2", "--n-frequencies", "8", "--threads", "1"]


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A signal; figures, which take most of the time of so small a run, are left empty."""
    x = np.arange(128) / 128
    np.save(tmp_path / "line.npy", 0.5 + 0.4 * np.sin(40 * x**2))

    def draw(run, task, outputs) -> None:
        for name in ("spectrum", "learning"):
            (run.folder / f"{name}.png").write_bytes(b"")

    monkeypatch.setattr("ntkit.experiments.tune_run.draw_tune", draw)
    monkeypatch.chdir(tmp_path)
    return "line.npy"


def test_json_is_one_object_and_quiet_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert call(monkeypatch, "tune", line, *SMALL, "--bandwidths", "2,8", "--json") == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found == {
        "folder": "runs/tune-line",
        **json.loads(Path("runs/tune-line/result.json").read_text()),
    }
    assert [r["bandwidth"] for r in found["table"] if r["encoding"] == "gaussian"] == [2, 8]
    assert printed.err == ""
    assert call(monkeypatch, "tune", line, *SMALL, "--bandwidths=2", "--quiet") == 0
    assert capsys.readouterr().out == "runs/tune-line-2\n"
    assert call(monkeypatch, "runs", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [e["folder"] for e in listed] == ["runs/tune-line", "runs/tune-line-2"]


def test_a_spec_that_was_written_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, tmp_path: Path
) -> None:
    options = [*SMALL, "--encodings", "nerf,gaussian", "--bandwidths", "2", "8"]
    assert call(monkeypatch, "tune", line, *options, "--out", "a", "--quiet") == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = ["--config", "../a/spec.json", "--seed", "3", "--out", "b", "--quiet"]
    assert call(monkeypatch, "tune", *again) == 0
    first, second = (json.loads(Path(f"{p}/spec.json").read_text()) for p in ("../a", "b"))
    assert second == {**first, "seed": 3, "out": "b"}
    assert json.loads(Path("b/result.json").read_text())["table"][0]["encoding"] == "nerf"


def test_resuming_from_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert call(monkeypatch, "tune", line, *SMALL, "--bandwidths", "2", "--quiet") == 0
    assert call(monkeypatch, "tune", "--resume", "runs/tune-line", "--quiet") == 0
    assert capsys.readouterr().out == "runs/tune-line\n" * 2
    assert call(monkeypatch, "tune", "--resume", "runs/tune-line", "--seed", "2") == 2
    assert "takes no other options" in capsys.readouterr().err
    assert call(monkeypatch, "tune", "--resume", "runs/none") == 2
    assert "is no folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("columns", [50, 60, 80, 200])
def test_every_number_is_there_in_terminals_of_any_width(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    columns: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert call(monkeypatch, "tune", line, *SMALL, "--bandwidths", "2", "8") == 0
    printed = capsys.readouterr().out
    run = ntkit.load("runs/tune-line")
    assert f"\n    {run.result.code}\n" in printed
    words = printed.replace("/", " ").replace("(", " ").replace(")", " ").replace(",", " ").split()
    for row in run.result.table:
        for p in row.predictions:
            assert f"{p.held_out:.1f}" in words, (columns, row.candidate)
    for proof in run.proofs:
        assert f"{proof.held_out_quality:.1f}" in words


def test_names_in_brackets_are_names(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """A folder's name is shown as it is, and is no markup of the terminal's; no encoding has one name."""
    folder = Path("[red]a[") / "b]"
    options = "--budget 20 --width 16 --depth 2 --n-frequencies 16 --encodings identity --threads 1"
    monkeypatch.setenv("COLUMNS", "150")
    assert call(monkeypatch, "tune", line, *options.split(), "--out", str(folder)) == 0
    assert f"Report: {folder / 'report.html'}" in capsys.readouterr().out
    assert call(monkeypatch, "runs", "[red]a[") == 0
    listed = capsys.readouterr().out
    assert str(folder) in listed
    assert "no encoding" in listed
    assert call(monkeypatch, "runs", str(folder)) == 0
    assert f"No runs in `{folder}`" in capsys.readouterr().out


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"ntkit {version('ntkit')}\n"


def test_an_interrupt_of_the_import_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(ModuleType):
        @property
        def main(self) -> None:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "ntkit.cli.main", Interrupted("main"))
    with pytest.raises(SystemExit) as stopped:
        ntkit_command.main()
    assert stopped.value.code == 130


@pytest.mark.slow
def test_a_terminal_without_the_characters(tmp_path: Path, line: str) -> None:
    """Tables have lines, and file names anything: neither ends a run that is done."""
    name = os.fsdecode(b"caf\xe9 \xff.npy")
    Path(line).rename(name)
    command = [sys.executable, "-m", "ntkit", "tune", name, *SMALL, "--bandwidths", "2"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0), done.stderr
    assert b"encoding = ntkit.encodings." in done.stdout
    run = next((tmp_path / "runs").iterdir())
    assert "caf" in (run / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, closed: str
) -> None:
    """`ntkit runs >&-`: Python has no stream then."""
    monkeypatch.setattr(sys, closed, None)
    assert call(monkeypatch, "runs", str(tmp_path)) == 0
    assert call(monkeypatch, "runs", str(tmp_path / "none")) == 2


def test_python_m_and_a_reader_that_has_gone() -> None:
    """`ntkit --help | head -1`: no word of a broken pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ntkit", "tune", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, error = process.communicate(timeout=120)
    assert error == b""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_a_training_at_a_step_and_it_goes_on(
    tmp_path: Path, line: str, number: int
) -> None:
    program = "from ntkit.experiments import training as t; t._SECONDS = 0.1; import ntkit.__main__ as m; m.main()"
    command = [sys.executable, "-c", program, "tune", line, *SMALL, "--bandwidths", "2"]
    command[command.index("--budget") + 1] = "200000"
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509 - else it may inherit to ignore it
    )
    checkpoint = tmp_path / "runs/tune-line/checkpoint.safetensors"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert b"Traceback" not in error
    assert json.loads((tmp_path / "runs/tune-line/result.json").read_text())["partial"] is True
    assert (tmp_path / "runs/tune-line/report.html").exists()
    assert checkpoint.exists()


def test_each_signal_of_a_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def ended(self: TuneProcess, spec: TuneSpec, said: IO[bytes]) -> int:
        said.write(f"`{spec.data}` is damaged.".encode())
        return 1

    monkeypatch.setattr(TuneProcess, "_ended", ended)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a [1].png").touch()
    folder, out = str(tmp_path / "photos"), str(tmp_path / "out")
    assert call(monkeypatch, "tune", "--each", folder, "--out", out, "--workers", "1") == 1
    printed = capsys.readouterr().out
    assert "a [1].png` is damaged" in printed
    assert "0 of 1 done, 1 failed" in printed
    assert call(monkeypatch, "tune", "--each", folder, "--out", out, "--json") == 1
    assert json.loads(capsys.readouterr().out)["rows"][0]["state"] == "failed"
    assert call(monkeypatch, "tune", "--each", folder, "--out", out, "--quiet") == 1
    assert capsys.readouterr().out == f"{out}\n"
    for options, words in (
        (["--workers", "2"], "pass `--each`"),
        (["--each", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "Leave one out"),
        (["--each", "--workers", "0"], "workers=0"),
    ):
        assert call(monkeypatch, "tune", folder, *options) == 2
        assert words in capsys.readouterr().err
