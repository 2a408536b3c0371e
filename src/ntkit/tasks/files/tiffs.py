"""TIFF files that Pillow does not read whole: 16 bits in several channels, many bands, floating colours."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import tifffile

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import heard, reading

__all__ = ["count_pages", "pages_of", "read_tiff"]


def read_tiff(
    path: Path, *, frame: int | None, check_size: Callable[[int, int], None]
) -> tuple[np.ndarray, list[str]]:
    """The levels of one page, `[h, w]` or `[h, w, c]`, and notes.

    Args:
        path: The file.
        frame: Which page of several, from 0.
        check_size: Called with the numbers of pixels and of channels before they are decoded.

    Raises:
        ValueError: It is damaged, compressed in a way that is not read, or no page or several are meant.
    """
    notes: list[str] = []
    with (
        reading(path, tifffile.TiffFileError),
        heard("tifffile", notes),
        tifffile.TiffFile(path) as opened,
    ):
        pages = len(opened.pages)
        if frame is None and pages > 1:
            raise ValueError(
                f"`{shown(path)}` holds {pages} pictures. Say which one with `--frame`, from 0."
            )
        if frame is not None and not 0 <= frame < pages:
            raise ValueError(
                f"`frame={frame}` is none of the pictures of `{shown(path)}`: it has {pages}, "
                "counted from 0."
            )
        page = opened.pages[frame or 0].aspage()
        check_size(page.imagelength * page.imagewidth, page.samplesperpixel)
        values = page.asarray()
        if page.axes.startswith("S"):  # one plane after the other
            values = np.moveaxis(values, 0, -1)
        if values.ndim not in {2, 3} or values.dtype.kind not in "fiu":
            raise ValueError(f"a page of shape {values.shape} and {values.dtype} is no picture.")
        notes += [f"picture {frame} of {pages}"] if pages > 1 else []
    return values, notes


def count_pages(path: Path) -> tuple[int, int, int]:
    """How many pages there are, and the height and width of the first."""
    with (
        reading(path, tifffile.TiffFileError),
        heard("tifffile", []),
        tifffile.TiffFile(path) as opened,
    ):
        page = opened.pages[0].aspage()
        return len(opened.pages), page.imagelength, page.imagewidth


def pages_of(numbers: np.ndarray, *, colour: bool) -> bytes:
    """A TIFF of `[page, h, w]` or, with `colour`, `[page, h, w, 3 or 4]`.

    Args:
        numbers: As they are stored.
        colour: Whether the last axis is RGB.
    """
    buffer = BytesIO()
    tifffile.imwrite(buffer, numbers, photometric="rgb" if colour else "minisblack")
    return buffer.getvalue()
