"""Writing pictures: PNG, TIFF and what else Pillow writes, in 8 or 16 bits or floating, or `.npy`."""

from io import BytesIO
from pathlib import Path

import numpy as np
import png
import tifffile
from PIL import Image

from ntkit._core.whole_files import shown, write_bytes
from ntkit.tasks.files.array_writer import clipped, write_array
from ntkit.tasks.files.content import Levels
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["write_image", "write_slices"]

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_WITHOUT_ALPHA = {"JPEG", "BMP", "PPM"}


def write_image(
    path: Path, values: np.ndarray, *, levels: Levels | None = None, depth: int = 8
) -> list[str]:
    """Write a picture, whole, in the format of its name; what was rounded or clipped is returned as notes.

    PNG and TIFF keep 16 bits; a TIFF of depth 32 keeps the numbers of the file as float32, and `.npy` as
    float64. All else has 8 bits.

    Args:
        path: Where to write.
        values: `[h, w, c]` in fitted units.
        levels: What fitted units are in numbers of the file: 0 and 1 if `None`.
        depth: Bits a number: 8, 9 to 16, or 32 for floating ones.

    Raises:
        ValueError: The format cannot hold it, or the values are not finite.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return write_array(path, values, levels=levels)
    form = Image.registered_extensions().get(suffix)
    if form is None or form not in Image.SAVE:
        raise ValueError(wrong_ending(path, (".png", ".tif", ".npy"), what="image"))
    channels = values.shape[-1]
    if form == "TIFF" and (depth > 8 or channels not in _MODES):
        return _tiff(path, values, levels or Levels(0, 1), depth)
    if channels not in _MODES or (form in _WITHOUT_ALPHA and channels in {2, 4}):
        raise ValueError(
            f"`{shown(path)}` cannot hold {channels} channels. Pass a name that ends in .png for 1 to 4, in "
            ".tif or .npy for any number."
        )
    deep = form == "PNG" and 8 < depth <= 16
    unit, notes = clipped(values)
    buffer = BytesIO()
    if deep:
        rows = np.rint(unit * 65535).astype(np.uint16)
        height, width = rows.shape[:2]
        writer = png.Writer(
            width, height, greyscale=channels < 3, alpha=channels in {2, 4}, bitdepth=16
        )
        writer.write(buffer, rows.reshape(height, -1))
    else:
        levels_8 = np.rint(unit * 255).astype(np.uint8)
        picture = Image.fromarray(levels_8[..., 0] if channels == 1 else levels_8)
        picture.save(buffer, format=form, **({"quality": 95} if form == "JPEG" else {}))
        notes += ["rounded to 8 bits"] if depth > 8 else []
    write_bytes(path, buffer.getvalue())
    return notes


def write_slices(
    folder: Path, values: np.ndarray, *, axis: int = 0, every: int = 1, turned: bool = False
) -> list[Path]:
    """Write slices of a volume as PNGs, `slice_000.png` and so on; the files are returned.

    Args:
        folder: Where to write; it is made.
        values: `[n1, n2, n3, c]` in fitted units; clipped to [0, 1].
        axis: Across which axis it is cut.
        every: One slice of so many.
        turned: Whether each is turned by a quarter, counter-clockwise: upright for a NIfTI whose axes run
            right, anterior, superior.

    Raises:
        ValueError: There is no such axis, or no slice.
    """
    if not 0 <= axis < values.ndim - 1 or every < 1:
        raise ValueError(
            f"`axis={axis}, every={every}` are no slices of a volume of {values.ndim - 1} axes: the axis "
            "counts from 0, and every n-th slice is taken from 1."
        )
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for k in range(0, values.shape[axis], every):
        plane = values.take(k, axis)
        path = folder / f"slice_{k:03d}.png"
        write_image(path, np.rot90(plane) if turned else plane)
        written.append(path)
    return written


def _tiff(path: Path, values: np.ndarray, levels: Levels, depth: int) -> list[str]:
    """Deep, floating, or of many bands."""
    channels = values.shape[-1]
    notes: list[str] = []
    if depth > 16:
        numbers = levels.back(values).astype(np.float32)
    else:
        unit, notes = clipped(values)
        top, dtype = (65535, np.uint16) if depth > 8 else (255, np.uint8)
        numbers = np.rint(unit * top).astype(dtype)
    buffer = BytesIO()
    tifffile.imwrite(
        buffer,
        numbers[..., 0] if channels == 1 else numbers,
        photometric="rgb" if channels in {3, 4} else "minisblack",
        planarconfig=None if channels == 1 else "contig",
        extrasamples=["unassalpha"] if channels in {2, 4} else None,
    )
    write_bytes(path, buffer.getvalue())
    return notes
