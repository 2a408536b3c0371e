"""Options of files given for arrays, and the other way round, are refused: they would change nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ntkit.tasks import Audio, Image, Points, Video, Volume

CUBE = np.linspace(0, 1, 9**3).reshape(9, 9, 9)
SOUND, PICTURE = CUBE[0, 0], CUBE[0]


@pytest.mark.parametrize(
    ("job", "source", "option", "plain"),
    [
        (Audio, SOUND, {"start": 0.1}, {"start": None}),
        (Audio, SOUND, {"stop": 0.1}, {"rate": 10.0}),
        (Audio, SOUND, {"downscale": 2}, {"downscale": 1}),
        (Image, PICTURE, {"downscale": 2}, {"downscale": 1, "frame": None}),
        (Image, PICTURE, {"frame": 0}, {"channels": True}),
        (Volume, CUBE, {"downscale": 2}, {"spacing": (1.0, 1.0, 2.0)}),
        (Volume, CUBE, {"frame": 1}, {}),
        (Video, CUBE, {"every": 2}, {"every": 1, "downscale": 1}),
        (Video, CUBE, {"downscale": 3}, {"step": 0.1}),
    ],
    ids=str,
)
def test_what_an_array_does_not_heed(
    job: Any, source: np.ndarray, option: dict[str, Any], plain: dict[str, Any]
) -> None:
    (name,) = option
    with pytest.raises(ValueError, match=f"`{name}=.*` is for files: an array is taken as it is"):
        job(source, **option)
    assert job(source, **plain).shape == source.shape


def test_columns_are_those_of_a_file() -> None:
    with pytest.raises(ValueError, match=r"`columns=\[0\]` is for files"):
        Points(PICTURE[:, :2], PICTURE[:, 2], columns=[0])


@pytest.mark.parametrize(
    ("job", "option"),
    [
        (Audio, {"rate": 10.0}),
        (Volume, {"spacing": (1.0, 1.0, 1.0)}),
        (Video, {"step": 1.0}),
        (Points, {"values": SOUND}),
    ],
    ids=str,
)
def test_what_a_file_says_itself(job: Any, option: dict[str, Any], tmp_path: Path) -> None:
    (name,) = option
    with pytest.raises(ValueError, match=f"`{name}` is for arrays in memory"):
        job(tmp_path / "a.npy", **option)
