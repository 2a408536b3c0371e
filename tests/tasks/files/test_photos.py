"""Photos as cameras and programs leave them: turned, in several pictures, in other colours."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("png")

from ntkit.tasks.files import kind_of, read_image  # noqa: E402
from tests.tasks.files.examples import colours  # noqa: E402


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "lzw.tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_of_the_camera_is_applied(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    """The tag says where the first row and column of the stored picture lie: TIFF 6.0, page 36."""
    seen = np.add.outer(np.arange(24) * 8, np.arange(16) * 3).astype(np.uint8)
    mirrored = orientation in {2, 4, 5, 7}
    quarters = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}[orientation]
    stored = np.rot90(seen[:, ::-1] if mirrored else seen, quarters)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"compression": "tiff_lzw"} if suffix == "lzw.tif" else {}
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif, **options)
    found = read_image(tmp_path / f"a.{suffix}")
    assert found.shape == (24, 16)
    np.testing.assert_allclose(found.values[..., 0] * 255, seen, atol=8)


def test_the_first_picture_of_an_mpo_is_meant(tmp_path: Path) -> None:
    first, second = np.zeros((24, 16, 3), np.uint8), np.full((24, 16, 3), 255, np.uint8)
    first[:12], second[:12] = 60, 200
    pictures = [Image.fromarray(p) for p in (first, second)]
    path = tmp_path / "a.jpg"
    pictures[0].save(path, format="MPO", save_all=True, append_images=pictures[1:])
    assert kind_of(path) == "image"
    found = read_image(path)
    assert found.notes == ("the first of 2 pictures in the file (MPO)",)
    np.testing.assert_allclose(found.values, first / 255, atol=0.1)
    np.testing.assert_allclose(read_image(path, frame=1).values, second / 255, atol=0.1)


@pytest.mark.parametrize("suffix", ["gif", "tif", "png"])
def test_the_frame_that_is_named(tmp_path: Path, suffix: str) -> None:
    frames = [np.full((16, 16), 20 * k, np.uint8) for k in (1, 2, 3)]
    for k, frame in enumerate(frames):
        frame[0, 0] = 200 + k
    pictures = [Image.fromarray(f) for f in frames]
    path = tmp_path / f"a.{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    with pytest.raises(ValueError, match=r"holds 3 pictures. Say which one with `--frame`, from 0"):
        read_image(path)
    for k, frame in enumerate(frames):
        found = read_image(path, frame=k)
        assert f"picture {k} of 3" in found.notes[0]
        np.testing.assert_allclose(found.values[..., 0], frame / 255, atol=1e-12)
    with pytest.raises(ValueError, match="`frame=3` is none of the pictures"):
        read_image(path, frame=3)


def test_a_canvas_that_grows_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """A damaged frame of a GIF may claim any size, and the canvas grows with it."""
    frames = [Image.fromarray(colours(16, 16, seed=k)) for k in range(4)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    content = bytearray(path.read_bytes())
    where = [i for i in range(len(content) - 9) if content[i : i + 9] == b",\0\0\0\0\x10\0\x10\0"]
    content[where[2] + 5 : where[2] + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert read_image(path, frame=1).shape == (16, 16)
    with pytest.raises(ValueError, match="4,294,836,225 samples, which need about"):
        read_image(path, frame=3)
    from ntkit.tasks.files import read_video

    with pytest.raises(ValueError, match="picture 2 reaches beyond the canvas"):
        read_video(path)


def test_cmyk_is_converted_and_said(tmp_path: Path) -> None:
    values = np.zeros((16, 16, 4), np.uint8)
    values[:8] = (0, 255, 255, 0)
    Image.frombytes("CMYK", (16, 16), values.tobytes()).save(tmp_path / "a.tif")
    found = read_image(tmp_path / "a.tif")
    assert (found.n_outputs, found.notes) == (3, ("converted from CMYK to RGB",))
    np.testing.assert_allclose(found.values[0, 0], [1, 0, 0], atol=0.01)


def test_a_tiff_that_lacks_half_of_its_bits_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("tifffile")
    Image.fromarray(colours(16, 16, 3)).save(tmp_path / "a.tif")
    content = bytearray((tmp_path / "a.tif").read_bytes())
    where = content.find(struct.pack("<HHH", 8, 8, 8))
    content[where : where + 6] = struct.pack("<HHH", 16, 16, 16)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ValueError, match="failed to read 1536 bytes, got 768"):
        read_image(tmp_path / "a.tif")


def test_names_that_are_no_text(tmp_path: Path) -> None:
    """The name appears with escapes, in a message that any terminal can print."""
    path = tmp_path / os.fsdecode(b"photo-\xff\xfe.png")
    with pytest.raises(FileNotFoundError, match=r"photo-\\xff\\xfe\.png") as refused:
        read_image(path)
    str(refused.value).encode("utf-8")
    Image.fromarray(colours(16, 16)).save(path)
    assert read_image(path).shape == (16, 16)


def test_libtiff_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(colours(40, 40, 3)).save(path, compression="tiff_lzw")
    content = bytearray(path.read_bytes())
    content[200:260] = b"\xff" * 60
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        read_image(path)
    said = capfd.readouterr()
    assert said.out + said.err == ""
