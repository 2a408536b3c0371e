"""Moving pictures: frames, times and stretches of GIFs, films and folders, there and back."""

from pathlib import Path

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("png")

from ntkit.tasks.files import Levels, read_video, write_video  # noqa: E402
from tests.tasks.files.examples import colours, moving  # noqa: E402


def animation(path: Path, frames: np.ndarray, **options: object) -> Path:
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


def folder(path: Path, frames: list[np.ndarray], suffix: str = "png") -> Path:
    path.mkdir()
    for k, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"frame{k}.{suffix}")
    return path


@pytest.mark.parametrize(
    ("suffix", "options"), [("gif", {}), ("webp", {"lossless": True}), ("png", {})]
)
def test_animations(tmp_path: Path, suffix: str, options: dict) -> None:
    frames = moving()
    found = read_video(animation(tmp_path / f"a.{suffix}", frames, duration=40, **options))
    np.testing.assert_array_equal(found.values[..., 0] * 255, frames)
    assert found.n_outputs == 1
    np.testing.assert_allclose(found.spacing, [0.04, 1, 1])
    assert found.units == ("s", "px", "px")


def test_colours_of_a_gif(tmp_path: Path) -> None:
    frames = np.zeros((8, 9, 10, 3), np.uint8)
    for k in range(8):
        frames[k, :, k] = (250, 10 * k, 40)
    found = read_video(animation(tmp_path / "a.gif", frames, duration=100))
    np.testing.assert_allclose(found.values * 255, frames, atol=8)
    assert found.n_outputs == 3


def test_frames_of_unequal_times(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.gif", moving(), duration=[50] * 5 + [150] * 5)
    found = read_video(path)
    assert found.spacing is not None
    np.testing.assert_allclose(found.spacing[0], 0.1)
    assert found.notes[0] == "frames that stay 0.05 to 0.15 s were taken as 0.1 s each"
    assert read_video(animation(path, moving(), duration=0)).spacing == (0.1, 1, 1)


def test_a_stretch_of_it(tmp_path: Path) -> None:
    frames = moving(40)
    path = animation(tmp_path / "a.gif", frames, duration=50)
    found = read_video(path, start=0.5, stop=1.5, every=2)
    np.testing.assert_array_equal(found.values[..., 0] * 255, frames[10:30:2])
    np.testing.assert_allclose(found.spacing, [0.1, 1, 1])
    assert "10 of 40 frames" in found.notes
    with pytest.raises(ValueError, match=r"is no stretch of .* has 40 frames in 2"):
        read_video(path, start=3)
    with pytest.raises(ValueError, match=r"is 4 x 12 x 16 samples.* Take more frames"):
        read_video(path, every=10)
    with pytest.raises(ValueError, match="`every=0` must be a whole number"):
        read_video(path, every=0)


def test_downscale_acts_on_each_frame(tmp_path: Path) -> None:
    frames = colours(9, 21, 18)
    path = tmp_path / "a.npy"
    np.save(path, frames)
    found = read_video(path, downscale=2)
    boxes = frames[:, :20].reshape(9, 10, 2, 9, 2).mean((2, 4)) / 255
    np.testing.assert_allclose(found.values[..., 0], boxes, rtol=1e-12)
    assert (found.spacing, found.units) == ((1, 2, 2), ("frame", "px", "px"))
    assert (found.depth, found.levels) == (8, Levels(0, 255))


def test_arrays(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(size=(12, 9, 10, 3))
    np.save(tmp_path / "a.npy", frames)
    found = read_video(tmp_path / "a.npy", start=2, stop=11)
    np.testing.assert_allclose(found.levels.back(found.values), frames[2:11], atol=1e-12)
    np.save(tmp_path / "a.npy", frames.reshape(3, 4, 9, 30))
    with pytest.raises(ValueError, match=r"a video is \[frames, height, width\]"):
        read_video(tmp_path / "a.npy")


def test_a_folder_in_natural_order(tmp_path: Path) -> None:
    frames = moving(12)
    path = folder(tmp_path / "frames", list(frames))
    (path / "notes.txt").write_text("hello")
    (path / ".hidden.png").write_text("hello")
    found = read_video(path)
    np.testing.assert_array_equal(found.values[..., 0] * 255, frames)
    assert found.file_bytes == sum(f.stat().st_size for f in path.glob("frame*.png"))
    found = read_video(path, start=1, stop=10)
    np.testing.assert_array_equal(found.values[..., 0] * 255, frames[1:10])


def test_frames_that_are_no_video(tmp_path: Path) -> None:
    path = folder(tmp_path / "sizes", [*moving(), colours(13, 16)])
    with pytest.raises(ValueError, match=r"`frame0.png` is 12 x 16, `frame10.png` is 13 x 16"):
        read_video(path)
    path = folder(tmp_path / "channels", [*moving(), colours(12, 16, 3)])
    with pytest.raises(
        ValueError, match=r"frames of different sizes, channels or bits: .* at frame 10"
    ):
        read_video(path)
    path = folder(tmp_path / "bits", [*moving(), colours(12, 16).astype(np.uint16)])
    with pytest.raises(ValueError, match=r"and \(12, 16, 1\) of uint16 at frame 10"):
        read_video(path)
    with pytest.raises(ValueError, match="holds 1 pictures, and a video has several"):
        read_video(folder(tmp_path / "one", [colours(9, 9)]))
    path = folder(tmp_path / "damaged", list(moving()))
    (path / "frame4.png").write_bytes((path / "frame4.png").read_bytes()[:60])
    with pytest.raises(ValueError, match=r"frame4.png` is damaged"):
        read_video(path)
    with pytest.raises(ValueError, match="one constant value everywhere"):
        read_video(folder(tmp_path / "still", [np.full((9, 9), 7, np.uint8)] * 9))
    Image.fromarray(colours(9, 9)).save(tmp_path / "a.gif")
    with pytest.raises(ValueError, match="has one picture: it is an image"):
        read_video(tmp_path / "a.gif")
    with pytest.raises(FileNotFoundError, match="Pass a GIF"):
        read_video(tmp_path / "none.gif")
    with pytest.raises(ValueError, match=r"need about \d+ GiB .* `--downscale \d+`, `--every`"):
        read_video(tmp_path / "channels", bytes_per_sample=10**9)


def test_an_opaque_alpha_is_left_out(tmp_path: Path) -> None:
    frames = np.concatenate([colours(9, 10, 8, 3), np.full((9, 10, 8, 1), 255, np.uint8)], -1)
    found = read_video(folder(tmp_path / "opaque", list(frames)))
    np.testing.assert_array_equal(found.values * 255, frames[..., :3])
    assert "opaque everywhere" in found.notes[0]
    frames[0, 0, 0, 3] = 0
    assert read_video(folder(tmp_path / "clear", list(frames))).n_outputs == 4


def test_a_film_there_and_back(tmp_path: Path) -> None:
    pytest.importorskip("av")
    smooth = np.linspace(0.2, 0.8, 12)[:, None, None] + np.linspace(0, 0.2, 32)[None, :, None]
    unit = np.broadcast_to(smooth[..., None] * np.array([1, 0.8, 0.6]), (12, 32, 47, 3))
    notes = write_video(tmp_path / "a.mp4", unit, step=0.04)
    assert any("MP4 needs even sizes" in note for note in notes)
    found = read_video(tmp_path / "a.mp4")
    assert found.values.shape == (12, 32, 48, 3)
    np.testing.assert_allclose(found.spacing, [0.04, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(found.values[:, :, :47], unit, atol=0.03)
    found = read_video(tmp_path / "a.mp4", start=0.08, stop=0.4, downscale=2)
    assert found.shape == (8, 16, 24)
    np.testing.assert_allclose(found.values[:, :, 3].mean(1), unit[2:10, :, 7].mean(1), atol=0.02)


def test_a_film_of_no_pictures_or_cut_off(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        film.mux(stream.encode(frame))
        film.mux(stream.encode())
    with pytest.raises(ValueError, match="holds no pictures"):
        read_video(path)
    write_video(path, np.random.default_rng(0).random((10, 16, 16, 1)), step=0.1)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="is damaged"):
        read_video(path)


@pytest.mark.parametrize(("suffix", "channels"), [("gif", 1), ("webp", 1), ("webp", 3), ("npy", 3)])
def test_written_and_read_again(tmp_path: Path, suffix: str, channels: int) -> None:
    whole = colours(9, 10, 12, channels)
    path = tmp_path / f"a.{suffix}"
    assert write_video(path, whole / 255, step=0.05, levels=Levels(0, 255)) == []
    found = read_video(path)
    assert found.values.shape == whole.shape
    # WebP stores gray as luma without loss of RGB; all of these are exact.
    np.testing.assert_allclose(found.levels.back(found.values), whole, atol=1e-9)
    if suffix != "npy":
        np.testing.assert_allclose(found.spacing, [0.05, 1, 1])


def test_writing_says_what_it_changed(tmp_path: Path) -> None:
    frames = colours(9, 10, 12, 3) / 255 * 1.5
    notes = write_video(tmp_path / "a.gif", frames, step=1 / 30)
    assert "were clipped" in notes[0]
    assert notes[1:] == [
        "256 colours a frame, as GIF has them",
        "frames stay 30 ms, and not 33.3333",
    ]
    with pytest.raises(ValueError, match=r"Pass a name that ends in .gif"):
        write_video(tmp_path / "a.png", frames, step=0.1)
    with pytest.raises(ValueError, match="`step=0` must be"):
        write_video(tmp_path / "a.gif", frames, step=0)
    with pytest.raises(ValueError, match="cannot hold 2 channels"):
        write_video(tmp_path / "a.gif", frames[..., :2], step=0.1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.gif"]
