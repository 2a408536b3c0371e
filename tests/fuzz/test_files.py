"""Hostile files end in one line and exit code 2, or are read; nothing is half written."""

from pathlib import Path

import pytest

from tests.fuzz.files import KINDS, outcome


@pytest.mark.parametrize("seed", range(6 * len(KINDS)))
def test_no_traceback_and_no_half_file(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(run, task, outputs) -> None:
        """Figures, which take most of the time of so small a run, are left out."""

    monkeypatch.setattr("ntkit.experiments.tune_run.draw_tune", draw)
    monkeypatch.chdir(tmp_path)
    found = outcome(seed, tmp_path)
    assert not found.fault, found
