"""Reading a mask: which samples of a picture are known."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.levels import to_unit
from ntkit.tasks.files.pictures import decode_picture

__all__ = ["read_mask"]


def read_mask(path: Path, shape: tuple[int, ...], *, downscale: int = 1) -> np.ndarray:
    """Whether each sample is known, `[*shape]`: white is known, black is to be filled in.

    Args:
        path: An image of the size of the picture, or a `.npy` array of booleans or numbers.
        shape: Samples of the picture, after it was shrunk.
        downscale: What the picture was shrunk by: a box is known where all of it is.

    Raises:
        ValueError: It is damaged, of another size, or all of one colour.
    """
    require_file(path, "a black and white image, or a .npy array")
    with reading(path):
        known = _known(path, shape, downscale)
    found = known.shape
    wanted = tuple(n * downscale for n in shape)
    fits = len(found) == len(wanted) and all(
        n <= m < n + downscale for n, m in zip(wanted, found, strict=True)
    )
    if not fits:
        raise ValueError(
            f"`{shown(path)}` is {' x '.join(map(str, found))}, and the picture is "
            f"{' x '.join(map(str, wanted))}. A mask has the size of its picture."
        )
    known = known[tuple(slice(n) for n in wanted)]
    boxes = known.reshape([m for n in shape for m in (n, downscale)])
    known = np.asarray(boxes.all(tuple(range(1, boxes.ndim, 2))))
    if known.all() or not known.any():
        colour = "white: nothing is left to fill in" if known.all() else "black: nothing is known"
        raise ValueError(
            f"`{shown(path)}` is all {colour}. White is known, black is to be filled in."
        )
    return known


def _known(path: Path, shape: tuple[int, ...], downscale: int) -> np.ndarray:
    """Levels of at least a half, of the colours together; refused where far larger than the picture."""
    if is_array(path):
        values = read_array(path, axes={len(shape)}, kinds="fiub")
        return values if values.dtype == bool else to_unit(values)[0] >= 0.5
    room = int(np.prod(shape)) * (downscale + 1) ** len(shape)

    def check(pixels: int, _: int) -> None:
        if pixels > 4 * room:
            raise ValueError(f"`{shown(path)}` has {pixels:,} pixels, more than its picture.")

    values = to_unit(decode_picture(path, check_size=check)[0])[0]
    if values.ndim == 3:  # without alpha
        values = values[..., : 3 if values.shape[-1] > 2 else 1].mean(-1)
    return np.greater_equal(values, 0.5)
