"""Images: every format, depth and channel as it stands in the file, and masks that fit them."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("png")
pytest.importorskip("tifffile")

from ntkit.tasks.files import Levels, read_image, read_mask, write_image  # noqa: E402
from tests.tasks.files.examples import colours  # noqa: E402


def saved(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "npy"])
@pytest.mark.parametrize("channels", [1, 3])
def test_whole_levels_are_read_as_they_are(tmp_path: Path, suffix: str, channels: int) -> None:
    array = colours(12, 16, channels)
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, array)
    else:
        saved(path, array.squeeze())
    found = read_image(path)
    np.testing.assert_array_equal(found.levels.back(found.values), array)
    assert (found.shape, found.n_outputs, found.depth) == ((12, 16), channels, 8)
    assert (found.levels, found.spacing, found.units) == (Levels(0, 255), (1, 1), ("px", "px"))
    assert found.notes == ()
    assert found.file_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("suffix", "options"), [("webp", {"lossless": True}), ("avif", {"quality": 100}), ("jpg", {})]
)
def test_formats_of_photos(tmp_path: Path, suffix: str, options: dict) -> None:
    ramp = np.add.outer(np.arange(24), np.arange(32))[..., None] * np.array([4, 3, 2])
    path = saved(tmp_path / f"a.{suffix}", ramp.astype(np.uint8), **options)
    found = read_image(path)
    assert found.values.shape == (24, 32, 3)
    np.testing.assert_allclose(found.values * 255, ramp, atol=0 if suffix == "webp" else 12)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_there_and_back(tmp_path: Path, channels: int, suffix: str) -> None:
    whole = np.random.default_rng(0).integers(0, 65536, (10, 12, channels))
    path = tmp_path / f"a.{suffix}"
    assert write_image(path, whole / 65535, depth=16) == []
    found = read_image(path)
    np.testing.assert_array_equal(found.levels.back(found.values), whole)
    assert found.depth == 16


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_floating_tiffs_there_and_back(tmp_path: Path, channels: int) -> None:
    numbers = np.random.default_rng(0).normal(size=(10, 12, channels)).astype(np.float32)
    levels = Levels(float(numbers.min()), float(numbers.max()))
    path = tmp_path / "a.tif"
    write_image(path, levels.to_unit(numbers), levels=levels, depth=32)
    found = read_image(path)
    np.testing.assert_allclose(found.levels.back(found.values), numbers, rtol=1e-6, atol=1e-7)
    assert found.depth == 32
    assert found.notes[0].startswith("values from -")


def test_pages_as_bands_only_where_it_is_said(tmp_path: Path) -> None:
    bands = colours(10, 12, 6)
    pictures = [Image.fromarray(bands[..., k]) for k in range(6)]
    path = tmp_path / "a.tif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(ValueError, match=r"holds 6 pictures. Say which one with `--frame`"):
        read_image(path)
    found = read_image(path, channels=True)
    np.testing.assert_array_equal(found.values * 255, bands)
    assert found.notes == ("6 pictures taken as bands",)
    np.testing.assert_array_equal(read_image(path, frame=4).values[..., 0] * 255, bands[..., 4])
    with pytest.raises(ValueError, match="leave `--frame` out"):
        read_image(path, channels=True, frame=1)
    others = [pictures[0], Image.fromarray(colours(8, 8))]
    others[0].save(path, save_all=True, append_images=others[1:])
    with pytest.raises(ValueError, match="its 2 pictures are of different sizes"):
        read_image(path, channels=True)


def test_many_bands_of_one_page(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    bands = np.random.default_rng(0).integers(0, 60000, (12, 10, 7), dtype=np.uint16)
    for layout, array in (("contig", bands), ("separate", np.moveaxis(bands, -1, 0))):
        path = tmp_path / f"{layout}.tif"
        tifffile.imwrite(path, array, photometric="minisblack", planarconfig=layout)
        found = read_image(path)
        np.testing.assert_array_equal(found.levels.back(found.values), bands)
    tifffile.imwrite(path, np.stack([bands] * 2), photometric="minisblack", planarconfig="contig")
    with pytest.raises(ValueError, match="holds 2 pictures"):
        read_image(path)
    assert read_image(path, frame=1).n_outputs == 7
    with pytest.raises(ValueError, match="`frame=2` is none of the pictures"):
        read_image(path, frame=2)
    tifffile.imwrite(path, np.ones((12, 10, 7), np.complex64), photometric="minisblack")
    with pytest.raises(ValueError, match="is no picture"):
        read_image(path, frame=0)


def test_arrays_that_are_no_picture_say_what_to_pass(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for shape, axes in (((40,), 1), ((9, 10, 11), 3), ((9, 10, 11, 5), 4)):
        np.save(path, np.random.default_rng(0).random(shape))
        with pytest.raises(ValueError, match=f"has {axes} axes .* `--as volume`"):
            read_image(path)
    assert read_image(path, frame=2, channels=True).values.shape == (10, 11, 5)
    with pytest.raises(ValueError, match="`--frame 9` does not fit"):
        read_image(path, frame=9)


def test_downscale_keeps_the_size_in_pixels(tmp_path: Path) -> None:
    array = colours(33, 40, 3)
    found = read_image(saved(tmp_path / "a.png", array), downscale=2)
    boxes = array[:32].reshape(16, 2, 20, 2, 3).mean((1, 3)) / 255
    np.testing.assert_allclose(found.values, boxes, rtol=1e-12)
    assert found.spacing == (2, 2)
    assert found.notes == ("shrunk 2 times to 16 x 20",)
    with pytest.raises(ValueError, match="`downscale=0` must be a whole number"):
        read_image(tmp_path / "a.png", downscale=0)
    with pytest.raises(ValueError, match="larger than an axis"):
        read_image(tmp_path / "a.png", downscale=34)


def test_a_png_that_claims_a_thousand_million_pixels(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", 40_000, 25_000, 8, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    with pytest.raises(ValueError, match=r"1,000,000,000 samples, which need about \d+ GiB"):
        read_image(path, bytes_per_sample=10**5)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none.png` does not exist. Pass an image"):
        read_image(tmp_path / "none.png")
    with pytest.raises(FileNotFoundError, match="is a folder"):
        read_image(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="is empty"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ValueError, match="one constant value everywhere"):
        read_image(saved(tmp_path / "red.png", np.full((9, 9, 3), (200, 10, 30), np.uint8)))
    with pytest.raises(ValueError, match="at least 8 along each axis"):
        read_image(saved(tmp_path / "thin.png", colours(2, 50)))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.png", colours(9, 9))

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refused)
    with pytest.raises(PermissionError, match="may not be read: permission denied"):
        read_image(path)


@pytest.mark.parametrize("form", ["L", "1", "RGB", "RGBA", "npy", "bool"])
def test_masks_of_every_form(tmp_path: Path, form: str) -> None:
    known = np.random.default_rng(0).random((9, 12)) < 0.5
    white = np.where(known, 255, 0).astype(np.uint8)
    path = tmp_path / "a.png"
    if form in {"npy", "bool"}:
        path = path.with_suffix(".npy")
        np.save(path, known if form == "bool" else white)
    else:
        Image.fromarray(white).convert(form).save(path)
    np.testing.assert_array_equal(read_mask(path, (9, 12)), known)


def test_a_box_is_known_where_all_of_it_is(tmp_path: Path) -> None:
    known = np.random.default_rng(0).random((9, 12)) < 0.9
    np.save(tmp_path / "a.npy", known)
    found = read_mask(tmp_path / "a.npy", (4, 6), downscale=2)
    np.testing.assert_array_equal(found, known[:8].reshape(4, 2, 6, 2).all((1, 3)))


def test_masks_that_do_not_fit(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.eye(9, dtype=np.uint8) * 255)
    with pytest.raises(ValueError, match="is 9 x 9, and the picture is 9 x 10"):
        read_mask(path, (9, 10))
    with pytest.raises(ValueError, match="is 9 x 9, and the picture is 9 x 9 x 9"):
        read_mask(path, (9, 9, 9))
    with pytest.raises(ValueError, match=r"all white: nothing is left to fill in"):
        read_mask(saved(path, np.full((9, 9), 255, np.uint8)), (9, 9))
    with pytest.raises(ValueError, match=r"all black: nothing is known"):
        read_mask(saved(path, np.zeros((9, 9), np.uint8)), (9, 9))
    with pytest.raises(ValueError, match="1,000,000 pixels, more than its picture"):
        read_mask(saved(path, np.zeros((1000, 1000), np.uint8)), (9, 9))
    with pytest.raises(FileNotFoundError, match="Pass a black and white image"):
        read_mask(tmp_path / "none.png", (9, 9))
