"""Pictures that are written: what a format cannot hold is refused, and what was changed is said."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")
pytest.importorskip("png")
pytest.importorskip("tifffile")

from ntkit.tasks.files import Levels, read_image, write_array, write_image
from tests.tasks.files.examples import colours


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "jpg", "webp"])
def test_eight_bits_there_and_back(tmp_path: Path, suffix: str, channels: int) -> None:
    whole = colours(10, 12, channels)
    path = tmp_path / f"a.{suffix}"
    if suffix in {"bmp", "jpg"} and channels in {2, 4}:
        with pytest.raises(ValueError, match=f"cannot hold {channels} channels"):
            write_image(path, whole / 255)
        return
    assert write_image(path, whole / 255) == []
    found = read_image(path)
    if suffix in {"png", "tif", "bmp"}:
        np.testing.assert_array_equal(
            found.values * 255, whole if channels != 2 else _as_rgba(whole)
        )
    assert found.shape == (10, 12)


def _as_rgba(whole: np.ndarray) -> np.ndarray:
    """As gray with alpha is read: RGB with alpha."""
    return np.concatenate([*[whole[..., :1]] * 3, whole[..., 1:]], -1)


def test_what_is_changed_is_said(tmp_path: Path) -> None:
    values = np.linspace(-0.1, 1.1, 120).reshape(10, 12, 1)
    notes = write_image(tmp_path / "a.png", values)
    assert notes[0].endswith("of the values were clipped to the range")
    found = read_image(tmp_path / "a.png").values
    np.testing.assert_allclose(found, np.clip(values, 0, 1), atol=0.5 / 255)
    assert write_image(tmp_path / "a.jpg", np.clip(values, 0, 1), depth=16) == ["rounded to 8 bits"]
    with pytest.raises(ValueError, match=r"Pass a name that ends in .png"):
        write_image(tmp_path / "a.doc", values)
    with pytest.raises(ValueError, match="cannot hold 6 channels"):
        write_image(tmp_path / "a.png", np.zeros((9, 9, 6)))
    with pytest.raises(ValueError, match="`values` has 120 NaN"):
        write_image(tmp_path / "a.png", values * np.nan)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jpg", "a.png"]


@pytest.mark.parametrize("shape", [(9,), (9, 10), (9, 10, 8)])
def test_arrays_keep_every_digit(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random((*shape, 2))
    write_array(tmp_path / "a.npy", values, levels=Levels(-3, 5))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values * 8 - 3)
    write_array(tmp_path / "a.npy", values[..., :1])
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), values[..., 0])


def test_bands_there_and_back(tmp_path: Path) -> None:
    for depth, top in ((8, 255), (16, 65535)):
        whole = np.random.default_rng(0).integers(0, top + 1, (10, 12, 6))
        write_image(tmp_path / "a.tif", whole / top, depth=depth)
        found = read_image(tmp_path / "a.tif")
        np.testing.assert_array_equal(found.levels.back(found.values), whole)
