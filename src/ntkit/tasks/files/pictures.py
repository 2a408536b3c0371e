"""Decoding image files: every bit that they hold, and what was converted, in words."""

import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import png
from PIL import Image, ImageOps, UnidentifiedImageError

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import heard, needed, one_line

__all__ = ["count_pictures", "decode_picture", "decoded", "opened_picture"]

_DAMAGED = (
    OSError, SyntaxError, EOFError, OverflowError, IndexError, KeyError, TypeError, AttributeError,
    struct.error, zlib.error, png.Error, MemoryError,
)  # fmt: skip
"""What Pillow and its decoders have been seen to raise of files with flipped or missing bytes."""

_DIRECT = {"L", "RGB", "RGBA"}
_SEVERAL_BITS = {"I;16", "I;16B", "I;16L", "I;16N", "I", "F"}


def decode_picture(
    path: Path, *, frame: int | None = None, check_size: Callable[[int, int], None]
) -> tuple[np.ndarray, list[str]]:
    """The levels of an image file `[h, w]` or `[h, w, c]`, upright, and notes.

    Args:
        path: The file.
        frame: Which picture of several, from 0.
        check_size: Called with the numbers of pixels and of channels before they are decoded; raises where
            they are too many.

    Raises:
        ValueError: It is no image, damaged, or one of several pictures is meant and none was named.
    """
    if path.stat().st_size == 0:
        raise ValueError(f"`{shown(path)}` is empty: the file has no bytes.")
    notes: list[str] = []
    with heard("Pillow", notes):
        if _only_tifffile(path):
            values, more = needed("ntkit.tasks.files.tiffs").read_tiff(
                path, frame=frame, check_size=check_size
            )
            notes += more
            return values, notes
        with opened_picture(path) as opened:
            notes += _chosen(opened, path, frame, check_size)
            check_size(opened.size[0] * opened.size[1], len(opened.getbands()))
            values, more = _levels(opened, path)
            notes += more
    return values, notes


def count_pictures(path: Path) -> tuple[int, int, int]:
    """How many pictures a file holds, and the height and width of the first, before turning."""
    if _only_tifffile(path):
        return needed("ntkit.tasks.files.tiffs").count_pages(path)
    with heard("Pillow", []), opened_picture(path) as opened:
        width, height = opened.size
        return getattr(opened, "n_frames", 1), height, width


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """The image, with Pillow's own limit of pixels lifted: the caller checks sizes.

    Raises:
        PermissionError: It may not be read.
        ValueError: It is no image, or damaged.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        # Not by its name: Pillow 13 maps uncompressed TIFFs into memory then, and those that lie on their
        # side come out garbled, as their height is taken for their width.
        with path.open("rb") as file, Image.open(file) as opened:
            yield opened
    except UnidentifiedImageError:
        raise ValueError(
            f"`{shown(path)}` is not an image that Pillow can read. Pass a PNG or JPEG."
        ) from None
    except PermissionError:
        raise
    except _DAMAGED as error:
        raise ValueError(f"`{shown(path)}` is damaged: {one_line(error)}") from None
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _chosen(
    opened: Image.Image, path: Path, frame: int | None, check_size: Callable[[int, int], None]
) -> list[str]:
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
        for k in range(frame) if opened.format != "TIFF" else ():
            opened.seek(k)  # of an animation, all pictures before are decoded on the way
            check_size(opened.size[0] * opened.size[1], len(opened.getbands()))
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
    """All bits of the picture, and notes."""
    if _is_deep_png(path):
        return _deep_png(path), []
    if opened.format == "TIFF":
        with _quiet_libtiff():
            return decoded(ImageOps.exif_transpose(opened))
    return decoded(ImageOps.exif_transpose(opened))


@contextmanager
def _quiet_libtiff() -> Iterator[None]:
    """Libtiff prints what it thinks of a damaged file, past Python: its words go nowhere meanwhile.

    What matters of them comes as an exception too.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def decoded(image: Image.Image) -> tuple[np.ndarray, list[str]]:
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


def _only_tifffile(path: Path) -> bool:
    """Whether it is a TIFF of which Pillow would read fewer bits than it holds, or nothing.

    Of 16 bits a channel (tag 258) it reads 8 where there are several channels.
    """
    with path.open("rb") as file:
        if file.read(4) not in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}:
            return False
    try:
        with heard("Pillow", []), opened_picture(path) as opened:
            bits: Any = getattr(opened, "tag_v2", {}).get(258, 8)
            deepest = max(bits) if isinstance(bits, tuple) else int(bits)
            return deepest == 16 and opened.mode not in _SEVERAL_BITS
    except ValueError as error:
        return "not an image" in str(error)


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
