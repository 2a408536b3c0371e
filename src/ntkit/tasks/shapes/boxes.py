"""The box that a surface is put into, and parts of it."""

from collections.abc import Sequence

import numpy as np

from ntkit.tasks.domain import Domain

__all__ = ["boxed", "window_of"]

_SHARE = 0.9
"""Of the box that the longest side of a surface takes."""

_MOST_CELLS = 2**28
"""Of a mesh that is asked for: 1 GB in float32."""


def boxed(vertices: np.ndarray) -> tuple[np.ndarray, float]:
    """The corner `[3]` of a cube about vertices `[v, 3]`, and its side, in their units: one for all axes."""
    low, high = vertices.min(0), vertices.max(0)
    side = float((high - low).max()) / _SHARE
    return (low + high) / 2 - side / 2, side


def window_of(
    domain: Domain, size: Sequence[int], crop: Sequence[tuple[float, float]] | None
) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """From where to where, in units of the file, and cells along each axis.

    Args:
        domain: Of a shape.
        size: Cells along each axis, or along the longest one alone: the others then have cells as large.
        crop: From where to where along each axis; all of the box if left out.

    Raises:
        ValueError: They do not fit the box, or ask for too much.
    """
    window = [(float(a), float(b)) for a, b in crop or domain.extent]
    if len(window) != 3 or any(
        not low <= a < b <= high for (a, b), (low, high) in zip(window, domain.extent, strict=False)
    ):
        whole = " ".join(f"{low:.6g}:{high:.6g}" for low, high in domain.extent)
        raise ValueError(
            f"`crop={[list(w) for w in window]}` must be three parts of the box, {whole}."
        )
    low, high = np.array(window).T
    cells = tuple(int(n) for n in size)
    if len(cells) not in {1, 3} or min(cells) < 2:
        raise ValueError(
            f"`size={tuple(size)}` must be cells of at least 2 along each of 3 axes, or one number for the longest."
        )
    if len(cells) == 1:
        sides = high - low
        cells = tuple(max(2, round(cells[0] * s / sides.max())) for s in sides)
    if np.prod(cells, dtype=float) > _MOST_CELLS:
        raise ValueError(
            f"`size={tuple(size)}` is more than a memory holds. Render a part with `--crop`."
        )
    return low, high, cells
