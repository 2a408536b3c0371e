"""Reading photos and arrays: what is converted is said, what is refused says why."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("png")

from ntkit.tasks.files import photo as module  # noqa: E402
from ntkit.tasks.files.photo import load_photo  # noqa: E402


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
    with pytest.raises(ValueError, match=r"holds 3 pictures. Say which one with `--frame`"):
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


def deep_png(path: Path, array: np.ndarray) -> Path:
    """A PNG of 16 bits, written by hand."""
    height, width, channels = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0))
    body = header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_of_every_channel_are_kept(tmp_path: Path, channels: int) -> None:
    """Also those of a dark picture, which has two levels in 8 bits."""
    array = np.random.default_rng(0).integers(0, 600, (12, 10, channels), dtype=np.uint16)
    photo = load_photo(deep_png(tmp_path / "a.png", array))
    np.testing.assert_array_equal(photo.signal.values.numpy(), array / 65535)
    assert photo.notes == ("16-bit levels divided by 65,535",)


def test_a_tiff_that_lacks_half_of_its_bits_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    Image.fromarray(levels(16, 16, 3)).save(tmp_path / "a.tif")
    assert load_photo(tmp_path / "a.tif").signal.n_outputs == 3
    written = bytearray((tmp_path / "a.tif").read_bytes())
    where = written.find(struct.pack("<HHH", 8, 8, 8))
    written[where : where + 6] = struct.pack("<HHH", 16, 16, 16)
    (tmp_path / "b.tif").write_bytes(written)
    with pytest.raises(ValueError, match="failed to read 1536 bytes, got 768"):
        load_photo(tmp_path / "b.tif")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_is_the_same_signal_as_png_and_as_array(
    tmp_path: Path, dtype: type, dark: bool
) -> None:
    top = 9 if dark else np.iinfo(dtype).max
    array = np.random.default_rng(0).integers(0, top, (16, 12, 3), dtype=dtype)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", array)
    np.save(tmp_path / "big.npy", array.astype(array.dtype.newbyteorder(">")))
    (tmp_path / "a.npy").rename(tmp_path / "b.NPY")
    names = "b.NPY", "a.npz", "big.npy"
    write = saved if dtype == np.uint8 else deep_png
    image = load_photo(write(tmp_path / "a.png", array)).signal.values
    for name in names:
        assert torch.equal(load_photo(tmp_path / name).signal.values, image), name


def test_the_first_picture_of_an_mpo_is_meant(tmp_path: Path) -> None:
    first, second = np.zeros((24, 16, 3), np.uint8), np.full((24, 16, 3), 255, np.uint8)
    first[:12], second[:12] = 60, 200
    pictures = [Image.fromarray(p) for p in (first, second)]
    pictures[0].save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=pictures[1:])
    photo = load_photo(tmp_path / "a.jpg")
    assert photo.notes == ("the first of 2 pictures in the file (MPO)",)
    np.testing.assert_allclose(photo.signal.values.numpy(), first / 255, atol=0.1)
    other = load_photo(tmp_path / "a.jpg", frame=1)
    np.testing.assert_allclose(other.signal.values.numpy(), second / 255, atol=0.1)


@pytest.mark.parametrize("suffix", ["gif", "tif", "png"])
def test_the_frame_that_is_named(tmp_path: Path, suffix: str) -> None:
    frames = [np.full((16, 16), 20 * k, np.uint8) for k in (1, 2, 3)]
    for k, frame in enumerate(frames):
        frame[0, 0] = 200 + k
    images = [Image.fromarray(f) for f in frames]
    path = tmp_path / f"a.{suffix}"
    images[0].save(path, save_all=True, append_images=images[1:])
    with pytest.raises(ValueError, match=r"holds 3 pictures. Say which one with `--frame`, from 0"):
        load_photo(path)
    for k, frame in enumerate(frames):
        photo = load_photo(path, frame=k)
        assert f"picture {k} of 3" in photo.notes[0]
        grey = photo.signal.values[..., 0].numpy()  # a GIF has a palette
        np.testing.assert_allclose(grey, frame / 255, atol=1e-12)
    with pytest.raises(ValueError, match="`frame=3` is none of the pictures"):
        load_photo(path, frame=3)


def test_axes_of_arrays_in_the_words_of_the_command_line(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random
    np.save(tmp_path / "stereo.npy", values((64, 2)))
    with pytest.raises(ValueError, match=r"at least 8 along each axis .* pass `--channels`"):
        load_photo(tmp_path / "stereo.npy")
    assert load_photo(tmp_path / "stereo.npy", channels=True).signal.shape == (64,)
    np.save(tmp_path / "bands.npy", values((16, 12, 10)))
    assert load_photo(tmp_path / "bands.npy").signal.shape == (16, 12, 10)
    bands = load_photo(tmp_path / "bands.npy", channels=True).signal
    assert (bands.shape, bands.n_outputs) == ((16, 12), 10)
    assert load_photo(tmp_path / "bands.npy", frame=3).signal.shape == (12, 10)
    with pytest.raises(ValueError, match="`--frame 16` does not fit an array of shape"):
        load_photo(tmp_path / "bands.npy", frame=16)
    np.save(tmp_path / "line.npy", values(64))
    with pytest.raises(ValueError, match="`--channels` leaves no axis"):
        load_photo(tmp_path / "line.npy", channels=True)
    with pytest.raises(ValueError, match="`--channels` is for arrays"):
        load_photo(saved(tmp_path / "a.png", levels(16, 16)), channels=True)


def test_files_with_nothing_in_them(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty: the file has no bytes"):
        load_photo(tmp_path / "a.png")
    np.save(tmp_path / "none.npy", np.zeros((0, 16)))
    with pytest.raises(ValueError, match="it is empty: its shape is"):
        load_photo(tmp_path / "none.npy")
    np.savez(tmp_path / "two.npz", a=np.ones(9), b=np.ones(9))
    with pytest.raises(ValueError, match=r"holds 2 arrays \(a, b\)"):
        load_photo(tmp_path / "two.npz")
    (tmp_path / "zip.npz").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(ValueError, match="no plain NumPy array"):
        load_photo(tmp_path / "zip.npz")
    colour = np.full((16, 16, 3), (200, 10, 30), np.uint8)
    with pytest.raises(ValueError, match="one constant colour"):
        load_photo(saved(tmp_path / "red.png", colour))


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path / "a.png", levels(16, 16))

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(PermissionError, match="may not be read: permission denied"):
        load_photo(path)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """The name appears with escapes, in a message that any terminal can print."""
    path = tmp_path / os.fsdecode(b"photo-\xff\xfe.png")
    with pytest.raises(FileNotFoundError, match=r"photo-\\xff\\xfe\.png") as refused:
        load_photo(path)
    str(refused.value).encode("utf-8")
    saved(path, levels(16, 16))
    assert load_photo(path).signal.shape == (16, 16)
