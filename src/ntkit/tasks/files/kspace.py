"""k-space: what a magnetic resonance scanner measures."""

from dataclasses import dataclass

import numpy as np

__all__ = ["KSpace", "checked_kspace"]


@dataclass(frozen=True, eq=False)
class KSpace:
    """Measured frequencies, those of lowest frequency in the middle.

    Attributes:
        values: `[coils, *shape]`, complex.
        mask: Which columns were measured, `[shape[-1]]`, where the file says so.
        notes: What was converted, in words.
    """

    values: np.ndarray
    mask: np.ndarray | None
    notes: tuple[str, ...]


def checked_kspace(values: np.ndarray) -> np.ndarray:
    """In double precision.

    Raises:
        ValueError: There are no numbers, one is not finite, all are 0, or a side is too short.
    """
    if values.size == 0:
        raise ValueError(f"it is empty: its shape is {values.shape}.")
    if not np.isfinite(values).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise ValueError(
            f"it has {int((~np.isfinite(values)).sum())} NaN or infinite entries, the first at index {bad}. Set them to "
            "0, and leave them out of the mask."
        )
    if not values.any():
        raise ValueError("it has no signal: all of its values are 0.")
    if min(values.shape[1:]) < 4:
        raise ValueError(
            f"it has shape {values.shape}: at least 4 samples along each axis are needed."
        )
    return values.astype(complex)
