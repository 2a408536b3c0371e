"""The command line: a mistake is one line and exit code 2."""

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tyro")
pytest.importorskip("rich")
pytest.importorskip("PIL")
pytest.importorskip("matplotlib")
pytest.importorskip("safetensors")
pytest.importorskip("jinja2")

from ntkit.cli.main import main


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
    assert "torch" in capsys.readouterr().out
