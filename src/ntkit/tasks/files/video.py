"""Reading moving pictures: a GIF or another animation, a folder of frames, a film, or an array."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.clip import Clip, Stretch
from ntkit.tasks.files.content import Content, Levels
from ntkit.tasks.files.levels import levels_of
from ntkit.tasks.files.sampling import (
    BYTES_PER_SAMPLE,
    check_factor,
    check_memory,
    gridded,
    shrink,
)

__all__ = ["FILMS", "read_video"]

FILMS = {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"}
"""Names of films, which PyAV reads (FFmpeg's libraries)."""

_COLOURS = 4  # a last axis of at most so many, behind three others, is of channels


def read_video(
    path: Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    every: int = 1,
    downscale: int = 1,
    bytes_per_sample: int = BYTES_PER_SAMPLE,
) -> Content:
    """The frames `[t, h, w, c]` of a moving picture, with their distance in seconds where it is known.

    Args:
        path: A GIF (or animated WebP, PNG, AVIF), an MP4 or another film, an array `.npy` `[t, h, w]` or
            `[t, h, w, c]`, or a folder of frames in the natural order of their names.
        start: Where to begin, in seconds; in frames where the source knows no seconds.
        stop: Where to end, in the same unit.
        every: Take one frame of so many.
        downscale: Whole factor to shrink each frame by, averaging boxes.
        bytes_per_sample: Working memory of a sample, by which videos that are too large are refused.

    A file is refused in one line (`FileNotFoundError`, `PermissionError`, `ValueError`) that is no
    moving picture, damaged, of frames of different sizes, too short, too large or constant.
    """
    check_factor(downscale)
    check_factor(every, "every")
    stretch = Stretch(start, stop, every)
    with reading(path):
        if path.is_dir():
            clip = needed("ntkit.tasks.files.frames").open_folder(path, stretch)
        else:
            require_file(path, "a GIF, a film such as MP4, or a folder of frames")
            if is_array(path):
                clip = _array(path, stretch)
            elif path.suffix.lower() in FILMS:
                clip = needed("ntkit.tasks.files.movie").open_movie(path, stretch)
            else:
                check = _Check(path, downscale, bytes_per_sample)
                clip = needed("ntkit.tasks.files.frames").open_animation(path, stretch, check)
        return _content(path, clip, every, downscale, bytes_per_sample)


@dataclass(frozen=True)
class _Check:
    """Refuses so many pixels, of all frames together, as would not fit."""

    path: Path
    downscale: int
    bytes_per_sample: int

    def __call__(self, pixels: int) -> None:
        check_memory(
            self.path,
            samples=pixels,
            numbers=3 * pixels // self.downscale**2,
            bytes_per_sample=self.bytes_per_sample,
            way_out="Pass `--downscale {}`, `--every`, or a stretch of it with `--start` and `--stop`.",
            axes=2,
            downscale=self.downscale,
        )


def _content(path: Path, clip: Clip, every: int, downscale: int, bytes_per_sample: int) -> Content:
    """The samples of a clip."""
    check = _Check(path, downscale, bytes_per_sample)
    check(len(clip.kept) * clip.size[0] * clip.size[1])
    raw, levels, depth = _decoded(path, clip, downscale)
    notes = clip.notes
    if raw.shape[-1] in {2, 4} and levels is not None and (raw[..., -1] == levels.high).all():
        raw, notes = raw[..., :-1], [*notes, "its alpha was left out: it is opaque everywhere"]
    if raw.shape[-1] == 3 and (raw[..., :1] == raw).all():
        raw, notes = raw[..., :1], [*notes, "gray: its three colours are equal"]
    if len(clip.kept) < clip.total:
        notes = [*notes, f"{len(clip.kept)} of {clip.total} frames"]
    if downscale > 1:
        notes = [*notes, f"frames shrunk {downscale} times to {raw.shape[1]} x {raw.shape[2]}"]
    return gridded(
        path,
        raw,
        notes=notes,
        spacing=(clip.step * every, float(downscale), float(downscale)),
        units=(clip.unit, "px", "px"),
        file_bytes=clip.file_bytes,
        levels=levels,
        depth=depth,
        advice=" Take more frames with `--every 1`." if every > 1 else "",
    )


def _decoded(path: Path, clip: Clip, downscale: int) -> tuple[np.ndarray, Levels | None, int]:
    """Numbers `[t, h, w, c]`, each frame shrunk as it comes, their levels if they are whole, and bits.

    Raises:
        ValueError: Frames differ in size, or some are missing.
    """
    frames: list[np.ndarray] = []
    kinds: list[np.dtype] = []
    levels: Levels | None = None
    for frame in clip.frames:
        frame = frame if frame.ndim == 3 else frame[..., None]
        if not frames and frame.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
            levels, more = levels_of(frame)
            clip.notes.extend(more)
        small = shrink(frame.astype(np.float64), range(2), downscale) if downscale > 1 else frame
        if frames and (small.shape != frames[0].shape or frame.dtype != kinds[0]):
            raise ValueError(
                f"`{shown(path)}` has frames of different sizes, channels or bits: {frames[0].shape} of "
                f"{kinds[0]}, and {small.shape} of {frame.dtype} at frame {clip.kept[len(frames)]}."
            )
        frames.append(small)
        kinds.append(frame.dtype)
    if len(frames) < len(clip.kept):
        raise ValueError(
            f"`{shown(path)}` is damaged: it ends after {len(frames)} of {len(clip.kept)} frames."
        )
    depth = 32 if kinds[0].kind == "f" else 8 * kinds[0].itemsize
    return np.stack(frames), levels, depth


def _array(path: Path, stretch: Stretch) -> Clip:
    """The frames of an array.

    Raises:
        ValueError: Its axes are not those of a video.
    """
    values = read_array(path, axes={3, 4})
    if values.ndim == 3:
        values = values[..., None]
    if values.shape[-1] > _COLOURS or 0 in values.shape:
        raise ValueError(
            f"`{shown(path)}` has the shape {values.shape}: a video is [frames, height, width] or [frames, "
            f"height, width, channels] of at most {_COLOURS} channels."
        )
    kept = stretch.of(path, len(values), 1.0)
    frames = iter(values[kept.start : kept.stop : kept.step])
    size = values.shape[1], values.shape[2]
    return Clip(frames, kept, len(values), size, 1.0, "frame", [], path.stat().st_size)
