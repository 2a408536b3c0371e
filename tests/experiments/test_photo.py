"""Reading photos and arrays: what is converted is said, what is refused says why."""

from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")

from ntkit.experiments import photo as module  # noqa: E402
from ntkit.experiments.photo import load_photo  # noqa: E402


def levels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def saved(path: Path, array: np.ndarray, **options: str) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("shape", [(16, 20), (16, 20, 3), (16, 20, 4)], ids=["grey", "rgb", "rgba"])
def test_levels_are_read_as_they_are(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = levels(*shape)
    photo = load_photo(saved(tmp_path / "a.png", array))
    np.testing.assert_array_equal(photo.signal.values.numpy().squeeze(), array / 255)
    assert photo.notes == ()


def test_sixteen_bits_are_kept(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 65536, (16, 16), dtype=np.uint16)
    photo = load_photo(saved(tmp_path / "a.png", array))
    np.testing.assert_array_equal(photo.signal.values[..., 0].numpy(), array / 65535)
    assert "16-bit" in photo.notes[0]


def test_cmyk_is_converted_and_said(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    image = np.zeros((16, 16, 4), np.uint8)
    image[:8] = (0, 255, 255, 0)
    Image.frombytes("CMYK", (16, 16), image.tobytes()).save(tmp_path / "a.tif")
    photo = load_photo(tmp_path / "a.tif")
    assert photo.signal.n_outputs == 3
    assert photo.notes == ("converted from CMYK to RGB",)
    np.testing.assert_allclose(photo.signal.values[0, 0].numpy(), [1, 0, 0], atol=0.01)


def test_rotation_of_the_camera_is_applied(tmp_path: Path) -> None:
    array = levels(16, 24)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    photo = load_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.signal.values[..., 0].numpy(), np.rot90(array, -1) / 255)


def test_downscale_takes_means_of_boxes(tmp_path: Path) -> None:
    array = levels(33, 40, 3)
    photo = load_photo(saved(tmp_path / "a.png", array), downscale=2)
    boxes = array[:32].reshape(16, 2, 20, 2, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(photo.signal.values.numpy(), boxes, rtol=1e-12)
    assert "16 x 20" in photo.notes[0]


@pytest.mark.parametrize("shape", [(40,), (12, 14), (10, 12, 9)])
def test_arrays_of_any_dimension(tmp_path: Path, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "a.npy", array)
    photo = load_photo(tmp_path / "a.npy")
    assert photo.signal.shape == shape
    np.testing.assert_array_equal(photo.signal.values[..., 0].numpy(), array)


def test_arrays_out_of_range_are_scaled_and_said(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.linspace(-3, 5, 32))
    photo = load_photo(tmp_path / "a.npy")
    assert float(photo.signal.values.min()) == 0
    assert float(photo.signal.values.max()) == 1
    assert "from -3 to 5" in photo.notes[0]


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_photo(tmp_path / "none.png")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        load_photo(tmp_path)
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(ValueError, match="not an image"):
        load_photo(tmp_path / "text.png")
    whole = saved(tmp_path / "whole.png", levels(64, 64, 3)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        load_photo(tmp_path / "cut.png")
    frames = [Image.fromarray(levels(16, 16, seed=i)) for i in range(3)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="animation of 3 frames"):
        load_photo(tmp_path / "moving.gif")
    with pytest.raises(ValueError, match="at least 8 along each axis"):
        load_photo(saved(tmp_path / "one.png", levels(1, 1)))
    with pytest.raises(ValueError, match="whole number of at least 1"):
        load_photo(tmp_path / "whole.png", downscale=0)
    with pytest.raises(ValueError, match="larger than the photo"):
        load_photo(tmp_path / "whole.png", downscale=100)


def test_arrays_that_are_refused(tmp_path: Path) -> None:
    holed = np.random.default_rng(0).random((16, 16))
    holed[2, 3] = np.nan
    np.save(tmp_path / "nan.npy", holed)
    with pytest.raises(ValueError, match="1 NaN or infinite"):
        load_photo(tmp_path / "nan.npy")
    np.save(tmp_path / "complex.npy", np.ones((16, 16), complex))
    with pytest.raises(ValueError, match="real numbers of 1 to 3 axes"):
        load_photo(tmp_path / "complex.npy")
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(ValueError, match="no plain NumPy array"):
        load_photo(tmp_path / "text.npy")


def test_a_photo_beyond_the_memory_names_the_downscale_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", levels(64, 64))
    monkeypatch.setattr(module, "_BYTES_PER_PIXEL", 2**40)
    with pytest.raises(ValueError, match=r"need about \d+ GiB") as refused:
        load_photo(path)
    factor = int(str(refused.value).split("--downscale ")[1].rstrip(".`"))
    monkeypatch.setattr(module, "_BYTES_PER_PIXEL", 800)
    assert factor > 1
    assert load_photo(path, downscale=2).signal.shape == (32, 32)
