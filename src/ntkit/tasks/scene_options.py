"""What is asked of a scene, checked before its pictures are read."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ntkit._core.checks import positive, whole

__all__ = ["checked_place", "colour", "none_or_more", "ordered", "triple"]


def checked_place(
    near: float | None, far: float | None, box: Sequence[float] | None
) -> dict[str, Any]:
    """Where the scene is, as `scene_of` takes it.

    Args:
        near: Depth where it begins; None for what the files or the cameras say.
        far: Where it ends.
        box: Two corners.

    Raises:
        ValueError: The first corner of the box is not below the second.
    """
    first, last = (None if v is None else positive(n, v) for n, v in (("near", near), ("far", far)))
    if first is not None and last is not None:
        ordered(first, last)
    if box is None:
        return {"near": first, "far": last, "box": None}
    corners = tuple(float(v) for v in box)
    if len(corners) != 6 or not all(a < b for a, b in zip(corners[:3], corners[3:], strict=False)):
        raise ValueError(
            f"`box={corners}` must be six numbers: the lowest corner (x, y, z), then the highest."
        )
    ends = (*triple("box", corners[:3]), *triple("box", corners[3:]))
    return {"near": first, "far": last, "box": ends}


def ordered(near: float | None, far: float | None) -> tuple[float, float]:
    """Two depths.

    Raises:
        ValueError: One is missing, or they are not in order.
    """
    if near is None or far is None or not 0 < near < far < np.inf:
        raise ValueError(
            f"`near={near}, far={far}` must be two depths, the first above 0 and below the second."
        )
    return float(near), float(far)


def colour(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """Red, green and blue from 0 to 1.

    Raises:
        ValueError: There are others.
    """
    found = triple(name, values)
    if not 0 <= min(found) <= max(found) <= 1:
        raise ValueError(
            f"`{name}={found}` must be red, green and blue from 0 to 1. Divide bytes by 255."
        )
    return found


def triple(name: str, values: Sequence[float]) -> tuple[float, ...]:
    """Three finite numbers.

    Raises:
        ValueError: There are others.
    """
    found = tuple(float(v) for v in values)
    if len(found) != 3 or not np.isfinite(found).all():
        raise ValueError(f"`{name}={found}` must be three finite numbers.")
    return found


def none_or_more(name: str, value: object) -> int:
    """A whole number that is not negative.

    Raises:
        ValueError: It is.
    """
    found = whole(name, value)
    if found < 0:
        raise ValueError(f"`{name}={found}` must be 0 or more.")
    return found
