"""A table of pictures with the names of its rows and columns."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from ntkit.figures.style import STYLE, WIDTH, Values, array

_POINTS = 72  # in an inch
_LETTER = 0.62  # width of a letter, of its height

__all__ = ["as_picture", "draw_picture", "grid_figure", "shown_size"]

_MOST_OBLONG = 2.5
"""Pictures with sides further apart than this are drawn squeezed: 40 x 3,000 would be 31,000 pixels high."""


def grid_figure(
    pictures: Sequence[Sequence[Values]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    sizes: Sequence[tuple[float, float]] | None = None,
    limits: tuple[float, float] = (0, 1),
) -> Figure:
    """Pictures in rows and columns, all of a row equally high.

    Args:
        pictures: A list of pictures for each row, `[h, w]` or `[h, w, o]` as in `pictures_figure`.
        rows: Names, written upwards at the left.
        columns: Titles.
        sizes: Height and width of each column's pictures in one unit, where pixels are not square.
        limits: What is black and what is white.

    Example:
        >>> import numpy as np
        >>> picture = np.zeros((8, 8))
        >>> figure = grid_figure([[picture, picture]], rows=["photo"], columns=["truth", "fit"])
        >>> len(figure.axes) >= 2
        True
    """
    cells = [[as_picture(values, limits) for values in row] for row in pictures]
    sizes = sizes or [shown_size(*cell.shape[:2]) for cell in cells[0]]
    ratios = [width / height for height, width in sizes]
    high = (WIDTH - 0.3 - 0.05 * len(ratios)) / sum(ratios)
    longest = max((len(line) for name in rows for line in name.splitlines()), default=1)
    letters = min(10.0, max(6.0, high * _POINTS / (_LETTER * longest)))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        close = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)
        figure = Figure(figsize=(WIDTH, (high + 0.05) * len(rows) + 0.3), layout=close)
        axes = figure.subplots(len(rows), len(ratios), squeeze=False, width_ratios=ratios)
        for line, row, name in zip(axes, cells, rows, strict=True):
            for axis, cell, size in zip(line, row, sizes, strict=True):
                draw_picture(axis, cell, size)
            line[0].set_ylabel(name, fontsize=letters)
        for axis, title in zip(axes[0], columns, strict=True):
            axis.set_title(title, fontsize=10)
        return figure


def draw_picture(axis: Axes, picture: np.ndarray, size: tuple[float, float]) -> None:
    """A picture of that height and width, without a frame."""
    height, width = size
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest",
                extent=(0, width, height, 0), aspect="equal")  # fmt: skip
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def as_picture(values: Values, limits: tuple[float, float] = (0, 1)) -> np.ndarray:
    """`[h, w]` or `[h, w, 3 or 4]` between 0 and 1; the middle slice of a longer shape."""
    picture = array(values)
    while picture.ndim > 3:
        picture = picture[len(picture) // 2]
    low, high = limits
    picture = ((picture - low) / ((high - low) or 1.0)).clip(0, 1)
    if picture.ndim == 2 or picture.shape[-1] in {3, 4}:
        return picture
    return picture[..., 0]


def shown_size(height: float, width: float) -> tuple[float, float]:
    """Height and width to draw a picture at, the longer side squeezed where it is very long."""
    return min(height, _MOST_OBLONG * width), min(width, _MOST_OBLONG * height)
