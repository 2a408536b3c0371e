"""The package of figures loads matplotlib when a figure is asked for, and says so where it is missing."""

import subprocess
import sys

import pytest

from ntkit import figures

WITHOUT = """
import sys
sys.modules["matplotlib"] = None
import ntkit.figures
try:
    ntkit.figures.lazy_figure
except ModuleNotFoundError as error:
    print(error)
"""


def test_without_matplotlib_one_line_says_what_to_install() -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=120
    )
    assert "`lazy_figure` draws with matplotlib" in run.stdout
    assert "pip install 'ntkit[app]'" in run.stdout
    assert len(run.stdout.splitlines()) == 1


def test_every_name_resolves() -> None:
    pytest.importorskip("matplotlib")
    assert sorted(figures.__all__) == figures.__all__
    assert all(callable(getattr(figures, name)) for name in figures.__all__)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pie_figure'"):
        _ = figures.pie_figure
