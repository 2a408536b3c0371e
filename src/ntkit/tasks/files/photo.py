"""Reading a photo, or an array, as a signal in [0, 1]."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ntkit._core.whole_files import shown
from ntkit.tasks.files.arrays import read_array
from ntkit.tasks.files.levels import to_unit
from ntkit.tasks.files.pictures import decode_picture
from ntkit.tasks.signal import Signal

__all__ = ["Photo", "load_photo"]

_BYTES_PER_PIXEL = 800
"""Working memory of the periodic engine at its peak: a dozen candidates, five layers' spectra each."""

_FEWEST = 8  # samples along an axis
_COLOURS = 4  # a last axis of at most so many is of channels


@dataclass(frozen=True)
class Photo:
    """A signal, and what was done to the file to get it.

    Attributes:
        signal: Values in [0, 1].
        notes: Conversions that took place.
    """

    signal: Signal
    notes: tuple[str, ...]


def load_photo(
    path: Path, *, downscale: int = 1, channels: bool = False, frame: int | None = None
) -> Photo:
    """Read an image file, or a `.npy` or `.npz` array.

    Args:
        path: The file.
        downscale: Whole factor to shrink by, averaging boxes.
        channels: Whether the last axis of an array is one of channels (stereo sound, many bands); by
            default one of at most 4 behind two others is.
        frame: Which picture of a file that holds several, from 0.

    Raises:
        FileNotFoundError: There is no such file.
        PermissionError: It may not be read.
        ValueError: Not an image, damaged, one of several, too small, too large, constant, or not finite.
    """
    if downscale < 1:
        raise ValueError(f"`downscale={downscale}` must be a whole number of at least 1.")
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"`{shown(path)}` {kind}. Pass an image file or a .npy array.")
    try:
        values, notes, n_axes = _read(path, downscale, channels, frame)
        levels, more = to_unit(values)
    except PermissionError:
        raise PermissionError(f"`{shown(path)}` may not be read: permission denied.") from None
    except ValueError as error:
        text = str(error)
        raise ValueError(text if "`" in text else f"`{shown(path)}` is refused: {text}") from None
    notes += more
    if downscale > 1:
        levels = _shrink(levels, n_axes, downscale)
        notes.append(f"shrunk {downscale} times to {' x '.join(map(str, levels.shape[:n_axes]))}")
    _check_samples(path, levels, n_axes, is_array=_is_array(path))
    return Photo(Signal(torch.from_numpy(levels), n_axes=n_axes), tuple(notes))


def _read(
    path: Path, downscale: int, channels: bool, frame: int | None
) -> tuple[np.ndarray, list[str], int]:
    """The numbers of the file, notes, and how many axes are of the grid.

    Raises:
        ValueError: An option does not fit the file.
    """
    if not _is_array(path):
        if channels:
            raise ValueError(
                "`--channels` is for arrays; an image file says what its channels are."
            )
        check = lambda pixels, _: _check_size(path, pixels, downscale)  # noqa: E731
        return *decode_picture(path, frame=frame, check_size=check), 2
    values = read_array(path)
    notes: list[str] = []
    if frame is not None:
        if values.ndim != 3 or not 0 <= frame < len(values):
            raise ValueError(
                f"`--frame {frame}` does not fit an array of shape {values.shape}: it takes one slice of "
                "the first of three axes, counted from 0."
            )
        notes.append(f"slice {frame} of {len(values)}")
        values = values[frame]
    has_channels = channels or (values.ndim == 3 and values.shape[-1] <= _COLOURS)
    n_axes = values.ndim - 1 if has_channels else values.ndim
    if n_axes == 0:
        raise ValueError(f"`--channels` leaves no axis of an array of shape {values.shape}.")
    _check_size(path, int(np.prod(values.shape[:n_axes])), downscale)
    return values, notes, n_axes


def _is_array(path: Path) -> bool:
    return path.suffix.lower() in {".npy", ".npz"}


def _check_samples(path: Path, levels: np.ndarray, n_axes: int, *, is_array: bool) -> None:
    """Refuse what nothing can be learned from, in the words of the command line.

    Raises:
        ValueError: Too few samples along an axis, or one constant colour.
    """
    shape = levels.shape[:n_axes]
    if min(shape) < _FEWEST:
        advice = " If its last axis is one of channels, pass `--channels`." if is_array else ""
        raise ValueError(
            f"`{shown(path)}` is {' x '.join(map(str, shape))} samples; at least {_FEWEST} along each "
            f"axis are needed to train on every other one and judge on the rest.{advice}"
        )
    pixels = levels.reshape(int(np.prod(shape)), -1)
    if not np.ptp(pixels, 0).any():
        raise ValueError(f"`{shown(path)}` has one constant colour, which every encoding fits.")


def _check_size(path: Path, pixels: int, downscale: int) -> None:
    """Refuse what would not fit, before reading it.

    Raises:
        ValueError: The working memory would exceed two thirds of the machine's.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = pixels // downscale**2 * _BYTES_PER_PIXEL
    if needed > machine * 2 // 3:
        factor = downscale
        while pixels // factor**2 * _BYTES_PER_PIXEL > machine // 2:
            factor += 1
        raise ValueError(
            f"`{shown(path)}` has {pixels:,} pixels, which need about {needed / 2**30:.0f} GiB of "
            f"{machine / 2**30:.0f} GiB. Pass `--downscale {factor}`."
        )


def _shrink(values: np.ndarray, n_axes: int, factor: int) -> np.ndarray:
    """Means over boxes; what is left over at the end of an axis is cut.

    Raises:
        ValueError: An axis is shorter than the factor.
    """
    for axis in range(n_axes):
        n = values.shape[axis] // factor
        if n == 0:
            raise ValueError(f"`downscale={factor}` is larger than the photo.")
        shape = (*values.shape[:axis], n, factor, *values.shape[axis + 1 :])
        values = values.take(range(n * factor), axis).reshape(shape).mean(axis + 1)
    return values
