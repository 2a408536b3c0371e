"""Writing numbers of the file as a `.npy` array, and what every writer does with fitted units."""

from io import BytesIO
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import write_bytes
from ntkit.tasks.files.content import Levels

__all__ = ["clipped", "require_finite", "write_array"]


def write_array(path: Path, values: np.ndarray, *, levels: Levels | None = None) -> list[str]:
    """Write numbers of the file as float64, `[*shape]` if there is one channel, whole.

    Args:
        path: Where to write.
        values: `[*shape, o]` in fitted units.
        levels: What fitted units are in numbers of the file: 0 and 1 if `None`.
    """
    require_finite(values)
    numbers = (levels or Levels(0, 1)).back(values)
    buffer = BytesIO()
    np.save(buffer, numbers[..., 0] if numbers.shape[-1] == 1 else numbers)
    write_bytes(path, buffer.getvalue())
    return []


def clipped(values: np.ndarray, low: float = 0.0) -> tuple[np.ndarray, list[str]]:
    """Values in [low, 1], and a note of how many were outside.

    Args:
        values: In fitted units.
        low: The least that the format holds.
    """
    require_finite(values)
    found = np.clip(np.asarray(values, np.float64), low, 1.0)
    # A level of 16 bits is 1.5e-5: what is outside by less is rounding.
    outside = int(np.count_nonzero(np.abs(found - values) > 1e-6))
    share = outside / max(found.size, 1)
    return found, [f"{share:.2%} of the values were clipped to the range"] if outside else []


def require_finite(values: np.ndarray) -> None:
    """Refuse NaN and infinity.

    Raises:
        ValueError: There are such entries.
    """
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ValueError(
            f"`values` has {bad} NaN or infinite entries, which no file should hold. Render it again from "
            "weights that are finite."
        )
