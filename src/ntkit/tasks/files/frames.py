"""Frames from animations that Pillow reads, and from folders of pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import heard, reading, sorted_files
from ntkit.tasks.files.clip import Clip, Stretch
from ntkit.tasks.files.pictures import decode_picture, decoded, opened_picture

__all__ = ["PICTURES", "open_animation", "open_folder"]

PICTURES = {
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".avif", ".bmp", ".gif", ".ppm", ".pgm", ".pnm",
}  # fmt: skip
"""Names of pictures in a folder of frames."""

_SLOW = 0.1  # seconds, which browsers give to frames that say 0


def open_animation(path: Path, stretch: Stretch, check_size: Callable[[int], None]) -> Clip:
    """The frames of a GIF, or of an animated WebP, PNG or AVIF, composed as they are seen.

    Args:
        path: The file.
        stretch: Which frames are meant.
        check_size: Called with the pixels of the frames before any is decoded; raises where they are too many.

    Raises:
        ValueError: It has one picture, or is damaged.
    """
    notes: list[str] = []
    with heard("Pillow", notes), opened_picture(path) as opened:
        total = getattr(opened, "n_frames", 1)
        if total == 1:
            raise ValueError(
                f"`{shown(path)}` has one picture: it is an image, and no video. Pass `--as image`."
            )
        whole = stretch.start is None and stretch.stop is None
        frames_meant = -(-total // stretch.every) if whole else 1  # times are not known yet
        check_size(frames_meant * opened.size[0] * opened.size[1])
        durations = [_duration(opened, k) for k in range(total)]
        size = opened.size[1], opened.size[0]
    step = float(np.mean(durations))
    if np.ptp(durations) > 0.01 * step:
        low, high = min(durations), max(durations)
        notes.append(f"frames that stay {low:g} to {high:g} s were taken as {step:.3g} s each")
    kept = stretch.of(path, total, step)
    frames = _animated(path, kept, notes)
    return Clip(frames, kept, total, size, step, "s", notes, path.stat().st_size)


def open_folder(path: Path, stretch: Stretch) -> Clip:
    """The pictures of a folder in the natural order of their names.

    Args:
        path: The folder.
        stretch: Which frames are meant.

    Raises:
        ValueError: There are fewer than two pictures, or their sizes differ.
    """
    files = [file for file in sorted_files(path) if file.suffix.lower() in PICTURES]
    if len(files) < 2:
        raise ValueError(
            f"`{shown(path)}` holds {len(files)} pictures, and a video has several. Pass a folder of PNG or "
            "JPEG frames, or of a DICOM series with `--as volume`."
        )
    notes: list[str] = []
    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        with reading(file), heard("Pillow", notes), opened_picture(file) as opened:
            turned = opened.getexif().get(0x0112, 1) >= 5
            width, height = opened.size
            sizes.setdefault((width, height) if turned else (height, width), file)
    if len(sizes) > 1:
        (one, first), (two, second) = list(sizes.items())[:2]
        raise ValueError(
            f"`{shown(path)}` has frames of different sizes: `{shown(first.name)}` is {one[0]} x {one[1]}, "
            f"`{shown(second.name)}` is {two[0]} x {two[1]}."
        )
    kept = stretch.of(path, len(files), 1.0)
    notes = list(dict.fromkeys(notes))
    size = sum(files[k].stat().st_size for k in kept)
    frames = _pictures([files[k] for k in kept], notes)
    return Clip(frames, kept, len(files), next(iter(sizes)), 1.0, "frame", notes, size)


def _duration(opened: Image.Image, frame: int) -> float:
    """How long a frame stays, in seconds.

    Raises:
        ValueError: It is larger than those before.
    """
    before = opened.size
    opened.seek(frame)
    if opened.size != before and frame:  # the canvas of a GIF grows to what a damaged frame claims
        raise ValueError(f"its picture {frame} reaches beyond the canvas.")
    found = opened.info.get("duration")
    if found is None:  # of formats that say it once a frame is decoded
        opened.load()
        found = opened.info.get("duration")
    return float(found or 0) / 1000 or _SLOW


def _animated(path: Path, kept: range, notes: list[str]) -> Iterator[np.ndarray]:
    said: list[str] = []
    with heard("Pillow", said), opened_picture(path) as opened:
        for k in kept:
            opened.seek(k)
            frame = opened.convert("RGB") if opened.mode in {"P", "PA"} else opened
            values, more = decoded(frame)
            notes += [note for note in more if note not in notes]
            yield values
    notes += [note for note in said if note not in notes]


def _pictures(files: list[Path], notes: list[str]) -> Iterator[np.ndarray]:
    def check(pixels: int, channels: int) -> None:
        """Their sizes were read before."""

    for file in files:
        values, more = decode_picture(file, check_size=check)
        notes += [note for note in more if note not in notes]
        yield values
