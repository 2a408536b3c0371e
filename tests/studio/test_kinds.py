"""Sounds and slices: what is shown of a file, that views draw it, and what hostile ones get."""

import gzip
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("PIL")
pytest.importorskip("nibabel")
pytest.importorskip("soundfile")

import nibabel
import soundfile

from ntkit.studio.desk import Desk
from ntkit.studio.openers import MOST_PIXELS, MOST_SAMPLES
from ntkit.studio.signals import received
from ntkit.tasks import Audio, Budget
from ntkit.tuning import NetworkPlan, sweep
from tests.studio.desks import last_reply
from tests.studio.test_answer import check_lines

RNG = np.random.default_rng(0)
VOLUME = RNG.random((10, 18, 31)).astype(np.float32)


def chirp(n: int, rate: int = 16_000) -> np.ndarray:
    time = np.arange(n) / rate
    return 0.5 * np.sin(2 * np.pi * (200 * time + 600 * time**2)) * np.exp(-2 * time)


def sound_file(n: int, form: str = "WAV", channels: int = 1) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.repeat(chirp(n)[:, None], channels, 1), 16_000, format=form)
    return out.getvalue()


def array_file(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def scan_file(values: np.ndarray, *, zipped: bool = False) -> bytes:
    image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
    image.header.set_xyzt_units("mm")
    raw = image.to_bytes()
    return gzip.compress(raw) if zipped else raw


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_short_sound_is_shown_whole(form: str, channels: int) -> None:
    found = received(sound_file(1001, form, channels), "tone")
    assert (found.kind, found.size, found.task.shape) == ("audio", (1001,), (1000,))
    assert found.task.n_outputs == channels
    assert float(found.task.values.abs().max()) == 1


def test_of_a_long_one_the_middle_is() -> None:
    n = 3 * MOST_SAMPLES + 1
    found = received(sound_file(n), "tone.wav")
    assert found.task.shape == (MOST_SAMPLES,)
    first = (n - MOST_SAMPLES) // 2
    wanted = chirp(n)[first : first + MOST_SAMPLES]
    torch.testing.assert_close(
        found.task.values[:, 0], torch.tensor(wanted / np.abs(wanted).max()), atol=1e-3, rtol=0
    )
    assert found.about["start"] == pytest.approx(first / 16_000, abs=1e-6)


def test_no_more_is_shown_of_samples_shorter_than_a_microsecond() -> None:
    out = io.BytesIO()
    soundfile.write(out, chirp(3 * MOST_SAMPLES), 2**31 - 1, format="WAV")
    assert received(out.getvalue(), "tone.wav").task.shape == (MOST_SAMPLES,)


def test_a_sound_of_one_sample_is_refused_for_its_length() -> None:
    with pytest.raises(ValueError, match="at least 8"):
        received(sound_file(1), "tone.wav")


def test_of_a_volume_the_middle_slice_is() -> None:
    found = received(array_file(VOLUME), "a.npy")
    assert (found.kind, found.size, found.about) == ("slice", (18, 31), {"slice": 5, "slices": 10})
    torch.testing.assert_close(found.task.values[..., 0], torch.tensor(VOLUME[5, :, :30]).double())


@pytest.mark.parametrize("zipped", [False, True])
def test_of_a_scan_it_stands_upright(zipped: bool) -> None:
    name = "scan.nii.gz" if zipped else "scan.nii"
    found = received(scan_file(VOLUME, zipped=zipped), name)
    assert (found.kind, found.size, found.about) == ("slice", (18, 10), {"slice": 15, "slices": 31})
    torch.testing.assert_close(
        found.task.values[..., 0], torch.tensor(VOLUME[:, ::-1, 15].T.copy()).double()
    )


@pytest.mark.parametrize(
    ("shape", "kind", "size"),
    [
        ((40,), "audio", (40,)),
        ((12, 20), "image", (12, 20)),
        ((12, 20, 3), "image", (12, 20)),
        ((12, 20, 5), None, None),
        ((3, 12, 20, 5), None, None),
        ((20, 2), None, None),
    ],
)
def test_arrays_are_what_their_axes_say(
    shape: tuple[int, ...], kind: str | None, size: tuple[int, ...] | None
) -> None:
    data = array_file(RNG.random(shape))
    if kind is None:
        with pytest.raises(ValueError):
            received(data, "a.npy")
    else:
        found = received(data, "a.npy")
        assert (found.kind, found.size) == (kind, size)


def lying_array(shape: tuple[int, ...]) -> bytes:
    """A header that says much more than follows."""
    told = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(told)) + told.encode() + bytes(64)


def huge_scan() -> bytes:
    """A header of a volume of 10^12 voxels."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((10_000, 10_000, 10_000))
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    return header.binaryblock + bytes(64)


def endless_wav() -> bytes:
    """A header of a sound that is longer than the file."""
    data = bytearray(sound_file(400))
    data[40:44] = struct.pack("<I", 0x7FFF0000)
    return bytes(data)


HOSTILE = {
    "pickle.npy": array_file(np.array([{"a": 1}], dtype=object)),
    "pickle.nii": pickle.dumps({"a": 1}),
    "lying.npy": lying_array((50_000, 50_000)),
    "large.npy": array_file(np.zeros((1, MOST_PIXELS // 4 + 1, 5), np.uint8)),
    "empty.npy": b"",
    "text.nii.gz": b"no scan",
    "huge.nii": huge_scan(),
    "cut.nii.gz": scan_file(VOLUME, zipped=True)[:400],
    "endless.wav": endless_wav(),
    "silent.wav": sound_file(0),
    "cut.flac": sound_file(4000, "FLAC")[:600],
    "nan.npy": array_file(np.full((20, 20), np.nan)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        received(HOSTILE[name], name)
    assert "/tmp" not in str(caught.value)
    assert "upload" not in str(caught.value)


def test_a_name_is_no_path() -> None:
    for name in ("../../a.npy", "/etc/a.npy", "a\0.npy", "x" * 5000 + ".NPY"):
        assert received(array_file(VOLUME), name).kind == "slice"


@pytest.fixture(scope="module")
def desk() -> Desk:
    found = Desk()
    found.put(received(sound_file(600), "tone.wav"))
    return found


def test_the_views_of_a_sound_are_the_librarys(desk: Desk) -> None:
    task = desk.signal.task
    asked = {"optimiser": "adam", "steps": 60, "goal": "generalise"}
    said = last_reply(desk, "bandwidth", "curve", asked).content
    bandwidth = said["bandwidths"][len(said["bandwidths"]) // 2]
    (rung,) = sweep(task, [bandwidth], budget=Budget(steps=60), plan=NetworkPlan(1, 1))
    at = said["bandwidths"].index(bandwidth)
    assert said["psnr"][2][at] == pytest.approx(rung.row.at(60).held_out, abs=1e-6)
    shown = last_reply(desk, "bandwidth", "picture", {**asked, "bandwidth": bandwidth, "budget": 2})
    np.testing.assert_allclose(shown.arrays["picture"], rung.field(60).float(), atol=1e-5)
    honest = last_reply(desk, "bandwidth", "honest", {}).arrays
    np.testing.assert_allclose(honest["picture"], task.values.float())
    kernel = last_reply(
        desk,
        "kernel",
        "encoded",
        {"bandwidth": 50, "depth": 2, "frequencies": 32, "row": 0, "column": 90},
    )
    assert kernel.arrays["kernel"].shape == (600,)
    assert kernel.arrays["kernel"].argmax() == 90
    raw = last_reply(desk, "kernel", "raw", {"depth": 2, "frequencies": 32, "row": 0, "column": 90})
    assert raw.arrays["kernel"].shape == (600,)
    assert len(last_reply(desk, "spectrum", "rates", {"bandwidth": 50}).content["rate"]) == 301
    course = {"optimiser": "sgd", "bandwidth": 50}
    last_reply(desk, "time", "course", course)
    moment = last_reply(desk, "time", "moment", {**course, "moment": 9})
    total = moment.arrays["picture"] + moment.arrays["error"]
    np.testing.assert_allclose(total, task.values.float(), atol=1e-5)


def test_views_of_pictures_say_so(desk: Desk) -> None:
    with pytest.raises(ValueError, match="needs a picture"):
        _ = desk.picture
    assert isinstance(desk.signal.task, Audio)


FILES = {
    "tone.flac": sound_file(1501, "FLAC"),
    "volume.npy": array_file(VOLUME),
    "my scan.nii.gz": scan_file(VOLUME, zipped=True),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_lines_to_copy_are_true(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    check_lines(tmp_path, name)
