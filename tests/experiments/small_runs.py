"""What runs of the tests are of, and without their figures, which take most of the time of so small a run."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

__all__ = ["leave_undrawn", "waves"]

_PICTURES = ("images", "learning", "bandwidth", "spectrum")


def waves(path: Path, height: int, width: int) -> Path:
    """A picture of waves in a file; its longest side is one unit long."""
    y, x = np.mgrid[0:height, 0:width] / width
    np.save(path, 0.5 + 0.25 * np.sin(20 * x + 9 * y) + 0.2 * np.cos(30 * y * x))
    return path


def leave_undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty files stand for the figures of `tune` and `fit`."""

    def draw(run: Any, *_: object) -> None:
        for name in _PICTURES:
            (run.folder / f"{name}.png").write_bytes(b"")

    for module in ("tune_run.draw_tune", "fit_run.draw_fit"):
        monkeypatch.setattr(f"ntkit.experiments.{module}", draw)
