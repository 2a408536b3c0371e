"""Image files: every bit that they hold, and what was converted, in words."""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import png
from PIL import Image, ImageOps, UnidentifiedImageError

from ntkit._core.whole_files import shown

__all__ = ["read_image"]

_DAMAGED = (
    OSError, SyntaxError, EOFError, OverflowError, IndexError, KeyError, TypeError, AttributeError,
    struct.error, zlib.error, png.Error, MemoryError,
)  # fmt: skip
"""What Pillow and its decoders have been seen to raise of files with flipped or missing bytes."""

_DIRECT = {"L", "RGB", "RGBA"}
_SEVERAL_BITS = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}


def read_image(
    path: Path, *, frame: int | None, check_size: Callable[[int], None]
) -> tuple[np.ndarray, list[str]]:
    """The levels of an image file `[h, w]` or `[h, w, c]`, upright, and notes.

    Args:
        path: The file.
        frame: Which picture of several, from 0.
        check_size: Called with the number of pixels before they are decoded; raises where they are too many.

    Raises:
        ValueError: It is no image, damaged, or one of several pictures is meant and none was named.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"`{shown(path)}` is empty: the file has no bytes.")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")  # Pillow's, of metadata that it could not read
        with _opened(path) as opened:
            notes = _chosen(opened, path, frame)
            check_size(opened.size[0] * opened.size[1])
            values, more = _levels(opened, path)
    warned = dict.fromkeys(" ".join(str(w.message).split()) for w in said)
    return values, [*notes, *more, *(f"Pillow warned: {text}" for text in warned)]


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, with Pillow's own limit of pixels lifted: the caller checks sizes.

    Raises:
        PermissionError: It may not be read.
        ValueError: It is no image, or damaged.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as opened:
            yield opened
    except UnidentifiedImageError:
        raise ValueError(
            f"`{shown(path)}` is not an image that Pillow can read. Pass a PNG or JPEG."
        ) from None
    except PermissionError:
        raise
    except _DAMAGED as error:
        raise ValueError(
            f"`{shown(path)}` is damaged: {str(error) or type(error).__name__}."
        ) from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _chosen(opened: Image.Image, path: Path, frame: int | None) -> list[str]:
    """Go to the picture that is meant, and say which.

    Raises:
        ValueError: There are several and none was named, or fewer than that.
    """
    frames = getattr(opened, "n_frames", 1)
    if frame is not None:
        if not 0 <= frame < frames:
            raise ValueError(
                f"`frame={frame}` is none of the pictures of `{shown(path)}`: it has {frames}, "
                "counted from 0."
            )
        opened.seek(frame)
        return [f"picture {frame} of {frames}"] if frames > 1 else []
    if frames == 1:
        return []
    if opened.format == "MPO":  # of phones: the photo, then previews or the other eye
        return [f"the first of {frames} pictures in the file (MPO)"]
    raise ValueError(
        f"`{shown(path)}` holds {frames} pictures. Say which one with `--frame`, from 0."
    )


def _levels(opened: Image.Image, path: Path) -> tuple[np.ndarray, list[str]]:
    """All bits of the picture, and notes.

    Raises:
        ValueError: Pillow would read half of its bits.
    """
    if _is_deep_png(path):
        return _deep_png(path), []
    if opened.format == "TIFF" and _bits(opened) == 16 and opened.mode not in _SEVERAL_BITS:
        raise ValueError(
            f"`{shown(path)}` is a TIFF of 16 bits a channel, of which 8 would be read. Save it as "
            "PNG or .npy, which are read whole."
        )
    return _converted(ImageOps.exif_transpose(opened))


def _converted(image: Image.Image) -> tuple[np.ndarray, list[str]]:
    """The levels, in a mode that loses nothing that is seen."""
    mode = image.mode
    if mode in _DIRECT and "transparency" not in image.info:
        return np.asarray(image), []
    if mode in _SEVERAL_BITS:
        array = np.asarray(image)
        return array.astype(array.dtype.newbyteorder("=")), []
    target = "RGBA" if mode in {"PA", "LA", "La"} or "transparency" in image.info else "RGB"
    target = "L" if mode == "1" else target
    return np.asarray(image.convert(target)), [f"converted from {mode} to {target}"]


def _bits(image: Image.Image) -> int:
    """Bits a channel that a TIFF says it has (tag 258); 8 if it does not."""
    found = getattr(image, "tag_v2", {}).get(258, 8)
    return max(found) if isinstance(found, tuple) else int(found)


def _is_deep_png(path: Path) -> bool:
    """Whether it is a PNG of 16 bits in several channels, of which Pillow reads 8.

    The bytes of the header: the width and height, then the depth and the kind (0: gray alone).
    """
    with path.open("rb") as file:
        header = file.read(26)
    return (
        header.startswith(b"\x89PNG") and len(header) == 26 and header[24] == 16 and header[25] != 0
    )


def _deep_png(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        width, height, rows, info = png.Reader(file=file).asDirect()
        values = np.stack([np.asarray(row, np.uint16) for row in rows])
    return values.reshape(height, width, int(info["planes"]))
