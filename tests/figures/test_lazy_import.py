"""The package of figures loads matplotlib when a figure is asked for, and says so where it is missing."""

import sys

import pytest

from ntkit import figures


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ntkit.figures.lazy", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ModuleNotFoundError,
        match=r"`lazy_figure` draws with matplotlib.*pip install 'ntkit\[app\]'",
    ):
        _ = figures.lazy_figure


def test_every_name_resolves() -> None:
    pytest.importorskip("matplotlib")
    assert sorted(figures.__all__) == figures.__all__
    assert all(callable(getattr(figures, name)) for name in figures.__all__)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pie_figure'"):
        _ = figures.pie_figure
