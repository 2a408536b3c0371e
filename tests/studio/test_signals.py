"""Dropped files: made small, their sides even, and refused by their headers where they are too large."""

import io
import pickle
import struct
import zlib
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image as Pillow

from ntkit.studio import signals
from ntkit.studio.signals import MOST_BYTES, MOST_PIXELS, received

RNG = np.random.default_rng(0)


def encoded(array: np.ndarray, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(array).save(out, form, **options)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge, and would be if it were decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    zeros = zlib.compress(bytes(1 << 20), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zeros) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("shape", "preview", "downscale"),
    [
        ((41, 60, 3), (40, 60), 1),
        ((300, 511, 3), (150, 254), 2),  # a box of two pixels does not fit the last column
        ((64, 64), (64, 64), 1),
        ((40, 32, 4), (40, 32), 1),
    ],
)
def test_pictures_are_small_and_even(
    shape: tuple[int, ...], preview: tuple[int, int], downscale: int
) -> None:
    found = received(encoded(RNG.integers(0, 255, shape, np.uint8)), "photo.png")
    assert found.size == shape[:2]
    assert (found.downscale, found.task.shape) == (downscale, preview)
    assert found.task.n_outputs == (1 if len(shape) == 2 else 3)


def test_pixels_are_those_of_the_file() -> None:
    pixels = RNG.integers(0, 255, (16, 20, 3), np.uint8)
    found = received(encoded(pixels), "photo.png")
    np.testing.assert_allclose(found.task.values.numpy(), pixels / 255)


def test_pixels_are_counted_before_they_are_decoded() -> None:
    data = bomb(50_000, 50_000)
    assert len(data) < 10_000
    with pytest.raises(ValueError, match=f"at most {MOST_PIXELS:,}"):
        received(data, "bomb.png")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        b"<svg onload=alert(1)></svg>",
        pickle.dumps({"a": 1}),
        encoded(RNG.integers(0, 255, (32, 32, 3), np.uint8))[:200],
        encoded(np.zeros((4, 4, 3), np.uint8)),
        encoded(np.zeros((32, 32, 3), np.uint8)),
    ],
    ids=["empty", "text", "svg", "pickle", "cut off", "tiny", "constant"],
)
def test_what_is_no_picture_is_refused_by_its_own_name(data: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        received(data, "<b>name</b>.png")
    assert gettempdir() not in str(caught.value)


def test_a_file_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "MOST_BYTES", 10)
    with pytest.raises(ValueError, match="more than 0 MiB"):
        received(bytes(11), "photo.png")
    assert MOST_BYTES == 48 * 2**20


def test_nothing_stays_in_the_temporary_folder() -> None:
    before = set(Path(gettempdir()).glob("ntkit-studio-*"))
    received(encoded(RNG.integers(0, 255, (16, 16), np.uint8)), "../../photo.png")
    with pytest.raises(ValueError):
        received(b"nothing", "../../photo.png")
    assert set(Path(gettempdir()).glob("ntkit-studio-*")) == before
