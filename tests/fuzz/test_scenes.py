"""Hostile meshes and views are read, or refused in one line."""

from pathlib import Path

import pytest

from tests.fuzz.scenes import fault


@pytest.mark.parametrize("seed", range(60))
def test_no_traceback(seed: int, tmp_path: Path) -> None:
    assert not fault(seed, tmp_path)
