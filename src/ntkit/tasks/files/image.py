"""Reading an image: PNG, JPEG, TIFF, WebP, AVIF and what else Pillow reads, or an array of two axes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.content import Content
from ntkit.tasks.files.pictures import count_pictures, decode_picture
from ntkit.tasks.files.sampling import BYTES_PER_SAMPLE, check_factor, check_memory, gridded

__all__ = ["read_image"]

_COLOURS = 4  # a last axis of at most so many is of channels


def read_image(
    path: Path,
    *,
    downscale: int = 1,
    channels: bool = False,
    frame: int | None = None,
    bytes_per_sample: int = BYTES_PER_SAMPLE,
) -> Content:
    """The picture of a file, `[h, w, c]`, upright, with its channels as they are (alpha is the last).

    Args:
        path: The file.
        downscale: Whole factor to shrink by, averaging boxes.
        channels: Whether it has many bands: the last axis of an array, however long, or the pages of a
            TIFF. By default a last axis of at most 4 is one of channels.
        frame: Which picture of a file that holds several, from 0; of an array of three axes without
            channels, which slice of the first.
        bytes_per_sample: Working memory of a pixel, by which pictures that are too large are refused.

    A file is refused in one line (`FileNotFoundError`, `PermissionError`, `ValueError`) that is no image,
    damaged, one of several, too small, too large, constant, or not finite.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "ramp.npy"
        ...     np.save(path, np.arange(160, dtype=np.uint8).reshape(16, 10))
        ...     content = read_image(path)
        >>> content.shape, content.n_outputs, content.levels
        ((16, 10), 1, Levels(low=0, high=255))
    """
    check_factor(downscale)
    size = require_file(path, "an image file or a .npy array")

    def check(pixels: int, bands: int) -> None:
        check_memory(
            path,
            samples=pixels,
            numbers=pixels * bands,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass `--downscale {}`.",
            axes=2,
            downscale=downscale,
        )

    with reading(path):
        if is_array(path):
            values, notes = _slice(path, channels, frame)
            check(values.shape[0] * values.shape[1], values[0, 0].size if values.size else 1)
        elif channels:
            values, notes = _pages(path, frame, check)
        else:
            values, notes = decode_picture(path, frame=frame, check_size=check)
        return gridded(
            path,
            values if values.ndim == 3 else values[..., None],
            notes=notes,
            spacing=(1.0, 1.0),
            units=("px", "px"),
            file_bytes=size,
            downscale=downscale,
            advice=" If its last axis is one of channels, pass `--channels`."
            if is_array(path)
            else "",
        )


def _slice(path: Path, channels: bool, frame: int | None) -> tuple[np.ndarray, list[str]]:
    """`[h, w]` or `[h, w, c]` of an array, and notes.

    Raises:
        ValueError: Its axes are not those of a picture.
    """
    values = read_array(path, axes={1, 2, 3, 4})
    notes: list[str] = []
    if frame is not None:
        if values.ndim < 3 or not 0 <= frame < len(values):
            raise ValueError(
                f"`--frame {frame}` does not fit an array of shape {values.shape}: it takes one slice of "
                "the first of three axes, counted from 0."
            )
        notes.append(f"slice {frame} of {len(values)}")
        values = values[frame]
    has_channels = channels or (values.ndim == 3 and values.shape[-1] <= _COLOURS)
    n_axes = values.ndim - has_channels
    if n_axes != 2:
        raise ValueError(
            f"`{shown(path)}` has {n_axes} axes (its shape is {values.shape}), and a picture has two. "
            "Name one slice with `--frame`, say `--channels` if the last axis is one of channels, or pass "
            "`--as audio`, `--as volume` or `--as video`."
        )
    return values, notes


def _pages(
    path: Path, frame: int | None, check: Callable[[int, int], None]
) -> tuple[np.ndarray, list[str]]:
    """The pages of a TIFF as channels, `[h, w, c]`; the channels of a picture of one page.

    Raises:
        ValueError: The pages are of different sizes, or one was named.
    """
    if frame is not None:
        raise ValueError("`--channels` takes all pictures of a file as bands: leave `--frame` out.")
    count, height, width = count_pictures(path)
    check(height * width, count)
    if count == 1:
        return decode_picture(path, check_size=check)
    bands = [decode_picture(path, frame=k, check_size=check)[0] for k in range(count)]
    if len({band.shape for band in bands}) > 1:
        raise ValueError(f"its {count} pictures are of different sizes: they are no bands.")
    stacked = np.stack(bands, -1)
    return stacked.reshape(*stacked.shape[:2], -1), [f"{count} pictures taken as bands"]
