"""A folder to type commands in."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small data; figures, which take most of the time, are left empty."""

    def draw(run, *_: object) -> None:
        for name in ("images", "learning", "bandwidth", "spectrum"):
            (run.folder / f"{name}.png").write_bytes(b"")

    monkeypatch.setattr("ntkit.experiments.fit_run.draw_fit", draw)
    monkeypatch.setattr("ntkit.experiments.tune_run.draw_tune", draw)
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[0:12, 0:16] / 16
    waves = 0.5 + 0.4 * np.sin(9 * x + 5 * y)
    np.save("image.npy", waves)
    np.save("audio.npy", 0.4 * np.sin(np.arange(200) ** 2 / 900))
    t = np.arange(8)[:, None, None] / 8
    np.save("volume.npy", waves * np.cos(t))
    np.save("video.npy", np.stack([waves * np.cos(t)] * 3, -1)[:, :10, :10])
    places = np.random.default_rng(0).random((60, 2))
    rows = [f"{a},{b},{np.sin(5 * a) + b}" for a, b in places]
    Path("points.csv").write_text("\n".join(["x,y,v", *rows]))
    return tmp_path
