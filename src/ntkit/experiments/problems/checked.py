"""Arrays of measurements, refused where they can be none."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown

__all__ = ["measured_values"]


def measured_values(path: Path, values: np.ndarray) -> np.ndarray:
    """The numbers in double precision.

    Raises:
        ValueError: One is not finite, they say nothing, or there are none.
    """
    if values.size == 0:
        raise ValueError(f"`{shown(path)}` is empty: its shape is {values.shape}.")
    bad = ~np.isfinite(values)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"`{shown(path)}` has {int(bad.sum())} NaN or infinite entries, the first at index {first}. Replace them, or "
            "leave their views out."
        )
    if not np.abs(values - values.flat[0]).any():
        raise ValueError(
            f"`{shown(path)}` has no signal: all of its values are {values.flat[0]:g}."
        )
    return values.astype(complex if np.iscomplexobj(values) else float)
