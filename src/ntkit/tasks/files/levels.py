"""Numbers of a file as levels in [0, 1], and what was done to them, in words."""

import numpy as np

__all__ = ["to_unit"]

_WHOLE = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}


def to_unit(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Levels in [0, 1] as float64, and a note where it is not plain how.

    Bytes are divided by 255 and 16-bit levels by 65,535, whatever they hold, so that a picture is the same
    signal in every file format. Other numbers are taken as they are where they lie in [0, 1], and are
    scaled by their least and largest otherwise.

    Args:
        values: Real numbers.

    Raises:
        ValueError: One is NaN or infinite, or there are none.
    """
    if values.size == 0:
        raise ValueError(f"it is empty: its shape is {values.shape}.")
    top = _WHOLE.get(values.dtype.newbyteorder("="))
    levels = values.astype(np.float64)
    if top:
        return levels / top, ["16-bit levels divided by 65,535"] if top > 255 else []
    bad = int((~np.isfinite(levels)).sum())
    if bad:
        raise ValueError(f"it has {bad} NaN or infinite entries. Replace or crop them first.")
    low, high = float(levels.min()), float(levels.max())
    if low >= 0 and high <= 1:
        return levels, []
    with np.errstate(over="ignore"):
        scaled = (levels - low) / ((high - low) or 1.0)
    if not np.isfinite(scaled).all():
        raise ValueError(
            f"its values reach from {low:g} to {high:g}: too far to be scaled to [0, 1]."
        )
    return scaled, [f"values from {low:g} to {high:g} scaled to [0, 1]"]
