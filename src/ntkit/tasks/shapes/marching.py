"""The surface of a field: marching cubes, whose field is evaluated in full only where the surface is."""

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
from skimage.measure import marching_cubes

__all__ = ["surface"]

_ROWS = 2**16
"""Points that are asked for at once."""

_STEP = 2
"""Of the coarse grid, in cells: each more would miss finer parts."""

_CLOSED = -1e6
"""What the field is said to be beyond the box, in units of its largest value: the surface is closed at its border."""


def surface(
    field: Callable[[np.ndarray], np.ndarray],
    cells: Sequence[int],
    *,
    low: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    high: Sequence[float] | np.ndarray = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Triangles `[f, 3, 3]` between where a field is above 0 and where it is not, anticlockwise from outside.

    The field is evaluated at every other point first, then at all points of each block of 2 x 2 x 2 cells in whose
    corners its sign differs, and so on along the surface: a part of it that lies wholly between the first points is
    not found. A surface that reaches the border of the box is closed there. For a smooth field the distance from
    the true surface goes with the square of a cell (Lorensen and Cline 1987).

    Args:
        field: Points `[n, 3]` to values `[n]`, some ten thousand at a time.
        cells: How many along each axis; made even.
        low: Where the box begins.
        high: Where it ends.

    Returns:
        Of a field that is nowhere above 0 `[0, 3, 3]`.
    """
    blocks = [max(1, -(-int(n) // _STEP)) for n in cells]
    shape = tuple(_STEP * n + 1 for n in blocks)
    start = np.asarray(low, np.float64)
    step = (np.asarray(high, np.float64) - start) / (np.array(shape) - 1)
    values = _evaluated(field, shape, start, step)
    if values.max() <= 0:
        return np.zeros((0, 3, 3))
    size = float(np.abs(values).max()) or 1.0
    closed = np.pad(values / size, 1, constant_values=_CLOSED)
    vertices, faces, _, _ = marching_cubes(
        closed, 0.0, gradient_direction="ascent", allow_degenerate=False
    )
    corners = start + (vertices.astype(np.float64) - 1) * step
    # A padded cell ends on the border up to 1e-6 of a cell.
    corners = np.clip(corners, start, start + (np.array(shape) - 1) * step)
    return corners[faces]


def _evaluated(
    field: Callable[[np.ndarray], np.ndarray],
    shape: tuple[int, ...],
    start: np.ndarray,
    step: np.ndarray,
) -> np.ndarray:
    """The field at all grid points near its surface, and its sign at the others."""
    flat = np.zeros(shape).ravel()
    known = np.zeros(shape, bool)
    known[::_STEP, ::_STEP, ::_STEP] = True

    def fill(places: np.ndarray) -> None:
        for part in np.array_split(places, max(1, -(-len(places) // _ROWS))):
            at = np.stack(np.unravel_index(part, shape), 1)
            flat[part] = field(start + at * step)

    fill(np.flatnonzero(known))
    values = flat.reshape(shape)
    # What is not evaluated takes the sign of the first corner of its block, whose corners all share it.
    coarse = values[::_STEP, ::_STEP, ::_STEP].copy()
    for offset in product(range(_STEP), repeat=3):
        part = values[tuple(slice(k, None, _STEP) for k in offset)]
        part[...] = coarse[tuple(slice(n) for n in part.shape)]
    done = np.zeros([(n - 1) // _STEP for n in shape], bool)
    while (new := _crossed(values) & ~done).any():
        done |= new
        wanted = _points_of(new, shape) & ~known
        known |= wanted
        fill(np.flatnonzero(wanted))
    return values


def _crossed(values: np.ndarray) -> np.ndarray:
    """Blocks of 2 x 2 x 2 cells with values of both signs."""
    some = every = values > 0
    for axis in range(3):
        some = np.logical_or.reduce(_corners(some, axis))
        every = np.logical_and.reduce(_corners(every, axis))
    return some & ~every


def _corners(values: np.ndarray, axis: int) -> list[np.ndarray]:
    """The first, middle and last points of all blocks along an axis."""
    moved, last = np.moveaxis(values, axis, 0), values.shape[axis] - _STEP
    parts = [moved[k : last + k : _STEP] for k in range(_STEP + 1)]
    return [np.moveaxis(part, 0, axis) for part in parts]


def _points_of(blocks: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The grid points of blocks, their borders included."""
    found = blocks
    for axis, n in enumerate(shape):
        grown = np.zeros([*found.shape[:axis], n, *found.shape[axis + 1 :]], bool)
        moved, out = np.moveaxis(found, axis, 0), np.moveaxis(grown, axis, 0)
        for k in range(_STEP + 1):
            out[k : n - _STEP + k : _STEP] |= moved
        found = grown
    return found
