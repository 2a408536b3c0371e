"""Numbers of a file as levels in [0, 1], and what was done to them, in words."""

import numpy as np

from ntkit.tasks.files.content import Levels

__all__ = ["depth_of", "levels_of", "to_unit"]

_WHOLE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def levels_of(values: np.ndarray) -> tuple[Levels, list[str]]:
    """Which numbers become 0 and 1, and a note where it is not plain how.

    Bytes are divided by 255 and 16-bit levels by 65,535, whatever they hold, so that a picture is the same
    signal in every file format. Other numbers are taken as they are where they lie in [0, 1], and are
    scaled by their least and largest otherwise.

    Args:
        values: Real numbers.

    Raises:
        ValueError: One is NaN or infinite, there are none, or they reach too far.
    """
    if values.size == 0:
        raise ValueError(f"it is empty: its shape is {values.shape}.")
    top = _WHOLE.get(values.dtype.newbyteorder("="))
    if top:
        return Levels(0, top), ["16-bit levels divided by 65,535"] if top > 255 else []
    if values.dtype.kind == "f":
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise ValueError(f"it has {bad} NaN or infinite entries. Replace or crop them first.")
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        return Levels(0, 1), []
    if not np.isfinite(high - low):
        raise ValueError(
            f"its values reach from {low:g} to {high:g}: too far to be scaled to [0, 1]."
        )
    if low == high:
        return Levels(low, low + max(1.0, abs(low))), []
    return Levels(low, high), [f"values from {low:g} to {high:g} scaled to [0, 1]"]


def to_unit(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Levels in [0, 1] as float64, and a note where it is not plain how: as `levels_of` says."""
    levels, notes = levels_of(values)
    return levels.to_unit(values), notes


def depth_of(values: np.ndarray) -> int:
    """Bits of a whole number of the file; 32 for floating ones of any length."""
    return 32 if values.dtype.kind == "f" else 8 * values.dtype.itemsize
