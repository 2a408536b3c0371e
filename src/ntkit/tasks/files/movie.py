"""Frames from films (MP4, WebM, ...), through PyAV, which brings FFmpeg's libraries."""

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from ntkit._core.whole_files import shown
from ntkit.tasks.files.clip import Clip, Stretch

__all__ = ["encoded", "open_movie"]


def open_movie(path: Path, stretch: Stretch) -> Clip:
    """The frames of the first stream of pictures of a film.

    Its packets are counted first, since not every film says how many frames it has.

    Args:
        path: The file.
        stretch: Which frames are meant.

    Raises:
        ValueError: It has no pictures, says no rate, or is damaged.
    """
    try:
        with av.open(str(path)) as film:
            if not film.streams.video:
                raise ValueError(f"`{shown(path)}` holds no pictures.")
            stream = film.streams.video[0]
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            size = stream.height, stream.width
            times = sorted(
                float(packet.pts * packet.time_base)
                for packet in film.demux(stream)
                if packet.pts is not None and packet.time_base is not None
            )
    except FFmpegError as error:
        raise ValueError(f"`{shown(path)}` is damaged: {error.strerror}.") from None
    if not times or rate <= 0 or min(size) < 1:
        raise ValueError(f"`{shown(path)}` is damaged: it has no frames, or no rate.")
    notes = []
    gaps = np.diff(times)
    step = float(gaps.mean()) if len(gaps) and gaps.mean() > 0 else 1 / rate
    if len(gaps) and np.ptp(gaps) > 0.2 * step:
        notes.append(
            f"frames {gaps.min():.3g} to {gaps.max():.3g} s apart were taken as {step:.3g} s"
        )
    kept = stretch.of(path, len(times), step)
    frames = _frames(path, kept)
    return Clip(frames, kept, len(times), size, step, "s", notes, path.stat().st_size)


def _frames(path: Path, kept: range) -> Iterator[np.ndarray]:
    """The frames `[h, w, 3]` of the places `kept`.

    Raises:
        ValueError: The film is damaged.
    """
    try:
        with av.open(str(path)) as film:
            for k, frame in enumerate(film.decode(film.streams.video[0])):
                if k >= kept.stop:
                    return
                if k in kept:
                    yield _turned(frame)
    except FFmpegError as error:
        raise ValueError(f"`{shown(path)}` is damaged: {error.strerror}.") from None


def _turned(frame: Any) -> np.ndarray:
    """The frame upright: phones film on their side, and say so."""
    quarters = round(getattr(frame, "rotation", 0) / 90)
    return np.rot90(frame.to_ndarray(format="rgb24"), quarters)


def encoded(frames: np.ndarray, step: float) -> tuple[bytes, list[str]]:
    """The bytes of an MP4 (H.264), and notes.

    Args:
        frames: `[t, h, w, 1 or 3]`, uint8.
        step: Seconds between frames.

    Raises:
        ValueError: The encoder refuses it.
    """
    pad = [(0, 0), *((0, n % 2) for n in frames.shape[1:3]), (0, 0)]
    notes = ["its colours are stored at half the resolution, as players want them"]
    if frames.shape[1] % 2 or frames.shape[2] % 2:
        frames = np.pad(frames, pad, mode="edge")
        notes.append("a row or column was doubled: MP4 needs even sizes")
    frames = np.ascontiguousarray(np.broadcast_to(frames, (*frames.shape[:-1], 3)))
    rate = Fraction(1 / step).limit_denominator(1001)
    buffer = BytesIO()
    try:
        with av.open(buffer, "w", format="mp4") as film:
            stream: Any = film.add_stream("libx264", rate=rate, options={"crf": "16"})
            stream.width, stream.height, stream.pix_fmt = (
                frames.shape[2],
                frames.shape[1],
                "yuv420p",
            )
            for values in frames:
                film.mux(stream.encode(av.VideoFrame.from_ndarray(values, format="rgb24")))
            film.mux(stream.encode())
    except FFmpegError as error:
        raise ValueError(f"`values` could not be written as MP4: {error.strerror}.") from None
    return buffer.getvalue(), notes
