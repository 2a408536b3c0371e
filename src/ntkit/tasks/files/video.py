"""Reading moving pictures: a GIF or another animation, a folder of frames, a film, or an array."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.clip import Clip, Stretch
from ntkit.tasks.files.content import Content, Levels
from ntkit.tasks.files.levels import depth_of, levels_of
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
            clip = needed("frames").open_folder(path, stretch)
        else:
            require_file(path, "a GIF, a film such as MP4, or a folder of frames")
            if is_array(path):
                clip = _array(path, stretch)
            elif path.suffix.lower() in FILMS:
                clip = needed("movie").open_movie(path, stretch)
            else:
                clip = needed("frames").open_animation(path, stretch)
        return _content(path, clip, every, downscale, bytes_per_sample)


def _content(path: Path, clip: Clip, every: int, downscale: int, bytes_per_sample: int) -> Content:
    """The samples of a clip, each frame shrunk as it comes.

    Raises:
        ValueError: Frames differ in size, or some are missing.
    """
    height, width = clip.size
    samples = len(clip.kept) * height * width
    check_memory(
        path,
        samples=samples,
        numbers=3 * samples // downscale**2,
        bytes_per_sample=bytes_per_sample,
        way_out="Pass `--downscale {}`, `--every`, or a stretch of it with `--start` and `--stop`.",
        axes=2,
        downscale=downscale,
    )
    frames: list[np.ndarray] = []
    levels: Levels | None = None
    depth = 8
    for frame in clip.frames:
        frame = frame if frame.ndim == 3 else frame[..., None]
        if not frames and frame.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}:
            levels, more = levels_of(frame)
            clip.notes.extend(more)
        depth = depth_of(frame)
        small = shrink(frame.astype(np.float64), range(2), downscale) if downscale > 1 else frame
        if frames and (small.shape != frames[0].shape or depth != depth_of(frame)):
            raise ValueError(
                f"`{shown(path)}` has frames of different sizes or channels: {frames[0].shape} and "
                f"{small.shape} at frame {clip.kept[len(frames)]}."
            )
        frames.append(small)
    if len(frames) < len(clip.kept):
        raise ValueError(
            f"`{shown(path)}` is damaged: it ends after {len(frames)} of {len(clip.kept)} frames."
        )
    raw = np.stack(frames)
    notes = clip.notes
    if raw.shape[-1] in {2, 4} and levels is not None and (raw[..., -1] == levels.high).all():
        raw, notes = raw[..., :-1], [*notes, "its alpha was left out: it is opaque everywhere"]
    if raw.shape[-1] == 3 and (raw[..., :1] == raw).all():
        raw, notes = raw[..., :1], [*notes, "gray: its three colours are equal"]
    if len(clip.kept) < clip.total:
        notes = [*notes, f"{len(clip.kept)} of {clip.total} frames"]
    if downscale > 1:
        notes = [*notes, f"frames shrunk {downscale} times to {raw.shape[1]} x {raw.shape[2]}"]
    step = None if clip.step is None else (clip.step * every, float(downscale), float(downscale))
    return gridded(
        path,
        raw,
        notes=notes,
        spacing=step,
        units=(clip.unit, "px", "px"),
        file_bytes=clip.file_bytes,
        levels=levels,
        depth=depth,
        advice=" Take more frames with `--every 1`." if every > 1 else "",
    )


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
