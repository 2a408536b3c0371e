"""Sounds: samples, stretches, rates; what is cut off or silent is refused."""

from pathlib import Path

import numpy as np
import pytest

soundfile = pytest.importorskip("soundfile")

from ntkit.tasks.files import Levels, read_audio, write_audio  # noqa: E402

RATE = 8000


def chirp(n: int = 4000, channels: int = 1) -> np.ndarray:
    t = np.arange(n) / RATE
    return np.stack([0.5 * np.sin(900 * (k + 1) * t * (1 + t)) for k in range(channels)], 1)


def saved(path: Path, values: np.ndarray, **options: object) -> Path:
    soundfile.write(path, values, RATE, **options)
    return path


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("suffix", "subtype", "depth", "error"),
    [
        ("wav", "PCM_16", 16, 2**-15),
        ("wav", "PCM_24", 24, 2**-23),
        ("wav", "FLOAT", 32, 1e-7),
        ("flac", "PCM_16", 16, 2**-15),
        ("ogg", "VORBIS", 16, 0.1),
    ],
)
def test_pressure_by_its_peak(
    tmp_path: Path, channels: int, suffix: str, subtype: str, depth: int, error: float
) -> None:
    values = chirp(channels=channels)
    found = read_audio(saved(tmp_path / f"a.{suffix}", values, subtype=subtype))
    np.testing.assert_allclose(found.levels.back(found.values), values, atol=error)
    assert abs(found.values).max() == 1
    assert found.levels.low == 0
    assert (found.spacing, found.units, found.depth) == ((1 / RATE,), ("s",), depth)
    assert found.values.shape == (4000, channels)


def test_a_stretch_in_seconds(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav", chirp(), subtype="DOUBLE")
    found = read_audio(path, start=0.1, stop=0.25)
    np.testing.assert_array_equal(found.levels.back(found.values), chirp()[800:2000])
    assert found.notes == ("seconds 0.1 to 0.25 of 0.5",)
    assert read_audio(path, start=0.4, stop=9).shape == (800,)
    for start, stop in ((0.6, None), (0.2, 0.2), (-1, None), (0.3, 0.1)):
        with pytest.raises(ValueError, match=r"is no stretch of .* which has 0.5 s"):
            read_audio(path, start=start, stop=stop)


def test_downscale_averages_neighbours(tmp_path: Path) -> None:
    values = chirp(4001)
    found = read_audio(saved(tmp_path / "a.wav", values, subtype="DOUBLE"), downscale=4)
    means = values[:4000].reshape(1000, 4).mean(1)
    np.testing.assert_allclose(found.levels.back(found.values)[:, 0], means, atol=1e-12)
    assert found.spacing == (4 / RATE,)


def test_arrays_have_no_rate(tmp_path: Path) -> None:
    values = chirp(channels=2) * 7
    np.save(tmp_path / "a.npy", values)
    found = read_audio(tmp_path / "a.npy", start=100, stop=300)
    np.testing.assert_allclose(found.levels.back(found.values), values[100:300], atol=1e-12)
    assert (found.spacing, found.units, found.depth) == (None, ("sample",), 32)


@pytest.mark.parametrize("suffix", ["wav", "ogg", "flac"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_what_is_cut_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    path = saved(tmp_path / f"a.{suffix}", chirp(20_000))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"is cut off|is damaged"):
        read_audio(path)


def test_a_stream_of_unknown_length_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav", chirp())
    content = bytearray(path.read_bytes())
    where = content.find(b"data") + 4
    content[where : where + 4] = b"\xff" * 4
    path.write_bytes(content)
    assert read_audio(path).shape == (4000,)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is 3 samples; at least 8"):
        read_audio(saved(tmp_path / "short.wav", chirp(3)))
    with pytest.raises(ValueError, match="one constant value everywhere"):
        read_audio(saved(tmp_path / "silent.wav", np.zeros((100, 1))))
    holed = chirp()
    holed[7] = np.nan
    with pytest.raises(ValueError, match="has 1 NaN or infinite samples"):
        read_audio(saved(tmp_path / "nan.wav", holed, subtype="FLOAT"))
    with pytest.raises(ValueError, match=r"need about \d+ GiB .* `--start` and `--stop`"):
        read_audio(saved(tmp_path / "long.wav", chirp()), bytes_per_sample=10**9)
    assert read_audio(tmp_path / "long.wav", stop=0.001, bytes_per_sample=10**8).shape == (8,)
    (tmp_path / "text.wav").write_text("hello" * 99)
    with pytest.raises(ValueError, match="is damaged, or no sound: Format not recognised"):
        read_audio(tmp_path / "text.wav")
    with pytest.raises(FileNotFoundError, match="Pass a WAV"):
        read_audio(tmp_path / "none.wav")


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(
    ("suffix", "depth", "error"),
    [
        ("wav", 16, 2**-15),
        ("wav", 24, 2**-22),
        ("wav", 32, 1e-7),
        ("flac", 24, 2**-22),
        ("ogg", 16, 0.1),
    ],
)
def test_written_and_read_again(
    tmp_path: Path, suffix: str, depth: int, error: float, channels: int
) -> None:
    values, levels = chirp(channels=channels) * 2, Levels(0, 0.4)
    path = tmp_path / f"a.{suffix}"
    assert write_audio(path, values, rate=44100, levels=levels, depth=depth) == []
    found = read_audio(path)
    difference = found.levels.back(found.values) - values * 0.4
    assert np.sqrt((difference**2).mean()) < error
    assert found.spacing == (1 / 44100,)


def test_writing_says_what_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    notes = write_audio(path, chirp() * 4, rate=8000.25)
    assert "were clipped" in notes[0]
    assert notes[1] == "the rate of 8000.25 Hz was rounded to 8000 Hz"
    assert abs(soundfile.read(path)[0]).max() <= 1
    assert write_audio(path, chirp() * 4, rate=8000, depth=32) == []
    with pytest.raises(ValueError, match=r"Pass a name that ends in .wav"):
        write_audio(tmp_path / "a.mp9", chirp(), rate=8000)
    with pytest.raises(ValueError, match="`rate=0` must be"):
        write_audio(path, chirp(), rate=0)
    with pytest.raises(ValueError, match="cannot hold 9 channels"):
        write_audio(tmp_path / "a.flac", np.tile(chirp(), 9), rate=8000)
    with pytest.raises(ValueError, match="4000 NaN or infinite"):
        write_audio(path, chirp() * np.nan, rate=8000, depth=32)
    write_audio(tmp_path / "a.npy", chirp(), rate=8000, levels=Levels(0, 3))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), chirp()[:, 0] * 3)
