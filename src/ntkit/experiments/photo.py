"""Reading a photo, or an array, as a signal in [0, 1]."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from ntkit.tasks.signals import Signal

__all__ = ["Photo", "load_photo"]

_BYTES_PER_PIXEL = 800
"""Working memory of the periodic engine at its peak: a dozen candidates, five layers' spectra each."""

_DIRECT = {"L", "RGB", "RGBA"}


@dataclass(frozen=True)
class Photo:
    """A signal, and what was done to the file to get it.

    Attributes:
        signal: Values in [0, 1].
        notes: Conversions that took place.
    """

    signal: Signal
    notes: tuple[str, ...]


def load_photo(path: Path, *, downscale: int = 1) -> Photo:
    """Read an image file or a `.npy` array.

    Args:
        path: The file.
        downscale: Whole factor to shrink by, averaging boxes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: Not an image, animated, too small, too large, or not finite.
    """
    if downscale < 1:
        raise ValueError(f"`downscale={downscale}` must be a whole number of at least 1.")
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"`{path}` {kind}. Pass an image file or a .npy array.")
    values, notes, n_axes = (
        _array(path, downscale) if path.suffix == ".npy" else _image(path, downscale)
    )
    if downscale > 1:
        values = _shrink(values, n_axes, downscale)
        notes.append(f"shrunk {downscale} times to {' x '.join(map(str, values.shape[:n_axes]))}")
    return Photo(Signal(torch.from_numpy(values), n_axes=n_axes), tuple(notes))


def _image(path: Path, downscale: int) -> tuple[np.ndarray, list[str], int]:
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # we check the size ourselves
    try:
        with Image.open(path) as opened:
            frames = getattr(opened, "n_frames", 1)
            if frames > 1:
                raise ValueError(
                    f"`{path}` is an animation of {frames} frames. Save the frame you mean as PNG."
                )
            _check_size(path, opened.size[0] * opened.size[1], downscale)
            return *_converted(ImageOps.exif_transpose(opened)), 2
    except UnidentifiedImageError:
        raise ValueError(
            f"`{path}` is not an image that Pillow can read. Pass a PNG or JPEG."
        ) from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"`{path}` is damaged: {error}.") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _converted(image: Image.Image) -> tuple[np.ndarray, list[str]]:
    mode = image.mode
    if mode in _DIRECT:
        return np.asarray(image, dtype=np.float64) / 255, []
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.float64) / 65535, [
            "16-bit grey levels divided by 65,535"
        ]
    if mode in {"I", "F"}:
        values = np.asarray(image, dtype=np.float64)
        return _to_unit(values, f"{mode} (32-bit) levels")
    target = "RGBA" if mode in {"PA", "LA"} or "transparency" in image.info else "RGB"
    target = "L" if mode == "1" else target
    return (
        np.asarray(image.convert(target), dtype=np.float64) / 255,
        [f"converted from {mode} to {target}"],
    )


def _array(path: Path, downscale: int) -> tuple[np.ndarray, list[str], int]:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"`{path}` is no plain NumPy array: {error}.") from None
    if (
        not isinstance(values, np.ndarray)
        or values.dtype.kind not in "fiu"
        or values.ndim not in {1, 2, 3}
    ):
        kind = getattr(values, "dtype", type(values).__name__)
        raise ValueError(
            f"`{path}` holds {kind} of {getattr(values, 'ndim', 0)} axes; real numbers of 1 to 3 axes "
            "are needed."
        )
    n_axes = 2 if values.ndim == 3 and values.shape[-1] <= 4 else values.ndim
    _check_size(path, int(np.prod(values.shape[:n_axes])), downscale)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise ValueError(f"`{path}` has {bad} NaN or infinite entries. Replace or crop them first.")
    values = values.astype(np.float64)
    if values.min() >= 0 and values.max() <= 1:
        return values, [], n_axes
    return *_to_unit(values, "values"), n_axes


def _to_unit(values: np.ndarray, what: str) -> tuple[np.ndarray, list[str]]:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("The image has NaN or infinite levels. Replace or crop them first.")
    scale = (high - low) or 1.0
    return (values - low) / scale, [f"{what} from {low:g} to {high:g} scaled to [0, 1]"]


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
            f"`{path}` has {pixels:,} pixels, which need about {needed / 2**30:.0f} GiB of "
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
