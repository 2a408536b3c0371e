"""Arrays of measurements, refused where they can be none."""

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown

__all__ = ["measured_values", "refuse_too_large"]

_LARGEST = 2**22
"""Numbers of a picture: more would take hours."""

_BYTES = 1000
"""Working memory of each: nine problems at once, on a torus of twice the picture's sides."""


def refuse_too_large(shape: Sequence[int], n_outputs: int, way_out: str) -> None:
    """Refuse a picture that memory and patience would not do for, before any work.

    Args:
        shape: Of the picture.
        n_outputs: Its colours.
        way_out: What to do.

    Raises:
        ValueError: It is too large.
    """
    count = prod(shape) * n_outputs
    if count > _LARGEST:
        raise ValueError(
            f"A picture of {' x '.join(map(str, shape))} would take {count * _BYTES / 1e9:.0f} GB and hours: {way_out}."
        )


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
            f"`{shown(path)}` has no signal: all of its values are {values.flat[0] + 0.0:g}."
        )
    return values.astype(complex if np.iscomplexobj(values) else float)
