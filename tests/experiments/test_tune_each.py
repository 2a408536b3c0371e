"""Every signal of a folder on its own: a table, one bad file that ends nothing, and going on after a kill."""

import csv
import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import torch

pytest.importorskip("tyro")
pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")
pytest.importorskip("filelock")

from ntkit._core.executor import Threads
from ntkit.experiments import TuneSpec, one_signal, tune_each
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.load import load
from ntkit.experiments.progress import Telling
from ntkit.experiments.run_folder import RESULT, RunFolder
from ntkit.experiments.signal_row import SignalRow
from ntkit.experiments.signal_table import SignalTable
from ntkit.experiments.tune_process import TuneProcess

OPTIONS = {"budget": "sgd:0.1:5", "width": 8, "depth": 1, "n_frequencies": 4, "threads": 1}


@pytest.fixture
def signals(tmp_path: Path) -> Path:
    """Two sounds, and a file that is nothing."""
    folder = tmp_path / "signals"
    folder.mkdir()
    for name in ("s2.npy", "s10.npy"):
        np.save(folder / name, 0.4 * np.sin(np.arange(100) ** 2 / 900 + len(name)))
    (folder / "s11.png").write_bytes(b"no picture")
    (folder / ".hidden").touch()
    return folder


@pytest.fixture
def asked(signals: Path, tmp_path: Path) -> TuneSpec:
    return TuneSpec(
        data=signals,
        out=tmp_path / "runs",
        families=("mlp",),
        encodings=("gaussian",),
        bandwidths=(1.0,),
        verify=False,
        **OPTIONS,
    )


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the signals whose process began; it is played by this one, and draws nothing."""
    names: list[str] = []

    def ended(self: TuneProcess, spec: TuneSpec, said: IO[bytes]) -> int:
        names.append(spec.data.name)
        try:
            one_signal._run(spec, self.command, Telling(show_progress=False))
        except ValueError as error:
            said.write(f"A library's words.\n{error}\n".encode())
            return 1
        return 0

    monkeypatch.setattr(TuneProcess, "_ended", ended)
    monkeypatch.setattr("ntkit.experiments.tune_run.draw_tune", lambda *_: None)
    monkeypatch.setattr("ntkit.experiments.tune_run.write_report", lambda run: None)
    return names


def test_a_bad_file_is_named_and_ends_nothing(asked: TuneSpec, begun: list[str]) -> None:
    table = tune_each(asked)
    assert [row.name for row in table.rows] == ["s2.npy", "s10.npy", "s11.png"]
    assert [row.state for row in table.rows] == ["done", "done", "failed"]
    assert table.rows[2].error.startswith("`")
    assert "no file whose kind can be told" in table.rows[2].error
    assert not table.is_well
    assert table.summary[0] == "2 of 3 done, 1 failed"
    with (table.folder / "table.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["state"] for line in lines] == ["done", "done", "failed"]
    assert float(lines[0]["predicted"]) == table.rows[0].predicted
    assert "s10.npy/report.html" in (table.folder / "table.html").read_text(encoding="utf-8")

    (table.folder / "s10.npy" / RESULT).unlink()  # killed between its first two files
    begun.clear()
    again = tune_each(asked)
    assert begun == ["s10.npy", "s11.png"]
    assert again.rows[0] == table.rows[0]
    assert again.rows[1].predicted == table.rows[1].predicted

    np.save(asked.data / "s2.npy", np.cos(np.arange(100.0)))
    (asked.data / "s11.png").unlink()
    begun.clear()
    assert tune_each(asked).is_well
    assert begun == ["s2.npy"]

    other = replace(asked, budget="sgd:0.1:6")
    with pytest.raises(FileExistsError, match="is a run with another `budget`"):
        tune_each(other)
    begun.clear()
    for _ in range(2):
        assert tune_each(other, force=True).is_well
    assert begun == ["s2.npy", "s10.npy"]


def test_killed_and_stopped_processes(asked: TuneSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    interruption = Interruption()

    def ended(self: TuneProcess, spec: TuneSpec, said: IO[bytes]) -> int:
        if spec.data.name == "s10.npy":
            interruption.signal = signal.SIGTERM
        return -9

    monkeypatch.setattr(TuneProcess, "_ended", ended)
    table = tune_each(asked, telling=Telling(interruption=interruption))
    assert table.interrupted
    assert [row.state for row in table.rows] == ["failed", "waiting", "waiting"]
    assert table.rows[0].error == "Its process was killed by signal 9: memory may be short."


@pytest.mark.parametrize("files", [0, 2, 4])
def test_a_full_disk_is_told_and_leaves_no_half_result(
    asked: TuneSpec, begun: list[str], monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    """It has room for so many files of the first run; the table is another disk's."""
    (asked.data / "s11.png").unlink()
    left, fsync, play = [files], os.fsync, TuneProcess._ended

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    def ended(self: TuneProcess, spec: TuneSpec, said: IO[bytes]) -> int:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            try:
                return play(self, spec, said)
            except OSError as error:
                said.write(str(error).encode())
                return 1

    with monkeypatch.context() as patch:
        patch.setattr(TuneProcess, "_ended", ended)
        table = tune_each(asked)
    states = [row.state for row in table.rows]
    assert states[1] == "failed"
    for row in table.rows:
        if row.state == "failed":
            assert re.search("`.*` could not be written: No space left on device", row.error)
            for file in (table.folder / row.name).glob("*.json"):
                json.loads(file.read_text(encoding="utf-8"))
    again = tune_each(asked)
    assert again.is_well
    assert begun[-states.count("failed") :] == [
        name for name, state in zip(("s2.npy", "s10.npy"), states, strict=True) if state == "failed"
    ]


def test_a_table_that_finds_no_room_says_so(
    asked: TuneSpec, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(table: SignalTable) -> None:
        raise OSError("`table.csv` could not be written: No space left on device.")

    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["ntkit.experiments.tune_each"], "write_table", full)
        with pytest.raises(OSError, match="No space left on device"):
            tune_each(asked)
    assert [row.state for row in tune_each(asked).rows] == ["done", "done", "failed"]
    assert begun.count("s2.npy") == 1


def test_what_is_no_folder_of_signals_is_refused(
    asked: TuneSpec, tmp_path: Path, unchecked: None
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no signal"):
        tune_each(replace(asked, data=tmp_path / "empty"))
    with pytest.raises(ValueError, match="is also the folder of the runs"):
        tune_each(replace(asked, out=asked.data))
    with pytest.raises(FileNotFoundError, match=r"is a file\. Pass a folder of signals"):
        tune_each(replace(asked, data=asked.data / "s2.npy"))
    with pytest.raises(TypeError, match="`spec` must be a `TuneSpec`, got str"):
        tune_each("photos")  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="`executor` must have"):
        tune_each(asked, executor=2)  # pyright: ignore[reportArgumentType]


def test_runs_inside_the_folder_are_no_signals(
    asked: TuneSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TuneProcess, "_ended", lambda *_: 1)
    table = tune_each(replace(asked, out=asked.data / "runs" / "each"))
    assert [row.name for row in table.rows] == ["s2.npy", "s10.npy", "s11.png"]
    assert table.rows[0].error == "Its process ended without a word."


def test_the_summary_says_how_bandwidths_spread() -> None:
    rows = [
        SignalRow(name=f"{k}", state="done", encoding="gaussian", bandwidth=float(k))
        for k in range(1, 6)
    ]
    rows += [SignalRow(name="n", state="done", encoding="identity")]
    assert SignalTable(Path("x"), tuple(rows)).summary == (
        "6 of 6 done",
        "gaussian: 5, bandwidth 3 (half of them from 2 to 4)",
        "identity: 1",
    )


def wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_command_goes_on_with_the_same_weights(asked: TuneSpec, tmp_path: Path) -> None:
    (asked.data / "s11.png").unlink()
    asked = replace(asked, budget="sgd:0.1:2000", verify=True)
    whole = tune_each(replace(asked, out=tmp_path / "whole"), executor=Threads(2))
    assert asked.out is not None
    flags = "--budget sgd:0.1:2000 --width 8 --depth 1 --n-frequencies 4 --threads 1 --bandwidths 1 --encodings gaussian --families mlp"
    command = [sys.executable, "-m", "ntkit", "tune", "--each", str(asked.data), "--out"]
    command += [str(asked.out), *flags.split()]
    first, second = asked.out / "s2.npy", asked.out / "s10.npy"
    for place in (first, second):  # one at a time
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            wait_for(place.is_dir)
            process.send_signal(signal.SIGKILL)
    kept = (first / RESULT).stat().st_mtime_ns
    assert subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0
    assert (first / RESULT).stat().st_mtime_ns == kept
    for row in whole.rows:
        found = [load(runs / row.name).network.state_dict() for runs in (asked.out, whole.folder)]
        assert all(torch.equal(found[0][key], value) for key, value in found[1].items())


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_stops_the_signal_that_a_worker_is_at(asked: TuneSpec) -> None:
    distributed = pytest.importorskip("distributed")
    (asked.data / "s11.png").unlink()
    assert asked.out is not None
    flags = "--budget sgd:0.1:1000000 --width 8 --depth 1 --n-frequencies 4 --threads 1 --bandwidths 1 --encodings gaussian --families mlp"
    command = [sys.executable, "-m", "ntkit", "tune", "--each", str(asked.data), "--out"]
    command += [str(asked.out), *flags.split()]
    first = asked.out / "s2.npy"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=0
    ) as cluster:
        command += ["--scheduler", cluster.scheduler_address]
        with subprocess.Popen(
            command,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - else it may inherit to ignore it
        ) as process:
            wait_for(lambda: any(first.glob("*checkpoint*")) or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(120)
            finally:
                process.kill()
        assert process.returncode == 130
        wait_for(lambda: is_free(first))
    assert any(first.iterdir())
    assert not (asked.out / "s10.npy").exists()


def is_free(folder: Path) -> bool:
    """Whether no process has the run."""
    try:
        with RunFolder(folder).locked():
            return True
    except FileExistsError:
        return False
