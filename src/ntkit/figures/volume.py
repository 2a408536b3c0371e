"""Slices of volumes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ntkit.figures.grid import grid_figure, shown_size
from ntkit.figures.style import Values, array

__all__ = ["slices_figure"]


def slices_figure(
    fields: Sequence[tuple[str, Values]],
    *,
    spacing: tuple[float, float, float] = (1, 1, 1),
    at: tuple[int, int, int] | None = None,
    upright: bool = False,
    titles: Sequence[str] = ("across axis 0", "across axis 1", "across axis 2"),
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Three orthogonal slices, one row a field, in true proportions and one scale of greys.

    A slice more than 2.5 times as long as wide is squeezed to that.

    Args:
        fields: Name, and values `[a, b, c]`; the truth first.
        spacing: Between samples along each axis, in one unit (mm).
        at: Indices where the slices cut; the middle if left out.
        upright: The axes run to the right, forward and up, as in NIfTI: of two axes the earlier is
            drawn to the right and the later upwards. Else rows run down, as in a stack of pictures.
        titles: Of the three columns.
        limits: What is black and what is white; the first field's smallest and largest if left out.

    Example:
        >>> import numpy as np
        >>> figure = slices_figure([("scan", np.random.rand(6, 6, 6))])
        >>> len(figure.axes) >= 3
        True
    """
    volumes = [array(values) for _, values in fields]
    shape = volumes[0].shape
    cut = at or tuple(n // 2 for n in shape)
    rows = [[_slice(v, axis, cut[axis], upright) for axis in range(3)] for v in volumes]
    sizes = []
    for axis in range(3):
        first, second = (shape[i] * spacing[i] for i in range(3) if i != axis)
        sizes.append(shown_size(*((second, first) if upright else (first, second))))
    truth = volumes[0]
    return grid_figure(
        rows,
        rows=[name for name, _ in fields],
        columns=titles,
        sizes=sizes,
        limits=limits or (float(truth.min()), float(truth.max())),
    )


def _slice(volume: np.ndarray, axis: int, index: int, upright: bool) -> np.ndarray:
    """`[h, w]`, its rows from the top."""
    plane = volume.take(index, axis)
    return plane.T[::-1].copy() if upright else plane
