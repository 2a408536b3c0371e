"""Writing moving pictures: GIF, MP4 where PyAV is, PNG frames in a folder, or `.npy`."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from ntkit._core.whole_files import shown, write_bytes
from ntkit.tasks.files.access import needed
from ntkit.tasks.files.array_writer import clipped, write_array
from ntkit.tasks.files.content import Levels
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["write_video"]


def write_video(
    path: Path, values: np.ndarray, *, step: float, levels: Levels | None = None
) -> list[str]:
    """Write a moving picture, whole, in the format of its name; what was changed is returned as notes.

    Args:
        path: Where to write: .gif, .webp, .mp4 or .npy.
        values: `[t, h, w, c]` in fitted units, of 1 or 3 channels (4 in WebP).
        step: Seconds between frames.
        levels: What fitted units are in numbers of the file, for `.npy`.

    Raises:
        ValueError: The name is of no such format, there are other channels, or the step is no time.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return write_array(path, values, levels=levels)
    if suffix not in {".gif", ".webp", ".mp4"}:
        raise ValueError(wrong_ending(path, (".gif", ".mp4", ".webp", ".npy"), what="video"))
    if not 0 < step < 1e4:
        raise ValueError(f"`step={step!r}` must be the seconds between frames, above 0.")
    channels = values.shape[-1]
    if channels not in ({1, 3, 4} if suffix == ".webp" else {1, 3}):
        raise ValueError(
            f"`{shown(path)}` cannot hold {channels} channels: gray and RGB are written, or any number as "
            ".npy."
        )
    unit, notes = clipped(values)
    frames = np.rint(unit * 255).astype(np.uint8)
    if suffix == ".mp4":
        content, more = needed("ntkit.tasks.files.movie").encoded(frames, step)
    else:
        content, more = _animation(frames, step, suffix)
    write_bytes(path, content)
    return [*notes, *more]


def _animation(frames: np.ndarray, step: float, suffix: str) -> tuple[bytes, list[str]]:
    """The bytes of a GIF or WebP, and notes.

    A GIF counts in hundredths of a second, a WebP in thousandths; neither has frames of no time. Pillow
    writes equal frames in a row as one that stays.
    """
    unit = 10 if suffix == ".gif" else 1  # ms
    duration = max(unit, round(1000 * step / unit) * unit)
    pictures = [Image.fromarray(f[..., 0] if f.shape[-1] == 1 else f) for f in frames]
    notes = []
    if suffix == ".gif" and frames.shape[-1] == 3:
        pictures = [p.quantize(256, method=Image.Quantize.MEDIANCUT) for p in pictures]
        notes.append("256 colours a frame, as GIF has them")
    if abs(duration - 1000 * step) > 0.01 * duration:
        notes.append(f"frames stay {duration} ms, and not {1000 * step:g}")
    buffer = BytesIO()
    options = {"lossless": True} if suffix == ".webp" else {}
    pictures[0].save(
        buffer,
        format=suffix[1:].upper(),
        save_all=True,
        append_images=pictures[1:],
        duration=duration,
        loop=0,
        **options,
    )
    return buffer.getvalue(), notes
