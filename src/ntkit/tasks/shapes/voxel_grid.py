"""What a shape is without a network: its values on a grid."""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import map_coordinates

__all__ = ["voxels"]

_ROWS = 2**17
"""Points whose inside is found at once."""


def voxels(field: Callable[[np.ndarray], np.ndarray], n: int, points: np.ndarray) -> np.ndarray:
    """A field at points `[m, 3]` of the unit box, linear between its values on a grid of `n^3`.

    Args:
        field: Points `[k, 3]` to values `[k]`.
        n: Grid points along each axis, the borders of the box included.
        points: Where to evaluate.
    """
    axis = np.linspace(0.0, 1.0, n)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    parts = np.array_split(grid, max(1, len(grid) // _ROWS))
    values = np.concatenate([field(part) for part in parts]).reshape(n, n, n)
    return map_coordinates(values, points.T * (n - 1), order=1, mode="nearest")
