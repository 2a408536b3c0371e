"""Pictures beside each other, each with its title."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from ntkit.figures.grid import as_picture, draw_picture, shown_size
from ntkit.figures.panels import panels_of
from ntkit.figures.style import STYLE, WIDTH, Values

__all__ = ["pictures_figure"]


def pictures_figure(
    panels: Sequence[tuple[str, Values]],
    *,
    limits: tuple[float, float] = (0, 1),
    keeps_ratio: bool = False,
) -> Figure:
    """Pictures with their titles: two in a row; very wide ones alone, very high ones four in a row.

    Args:
        panels: Title, and `[h, w]` or `[h, w, o]`; three outputs are colours, four have alpha, and of
            any other number the first is drawn, in grey. Longer shapes show their middle slice.
        limits: What is black and what is white.
        keeps_ratio: Whether very long pictures are not squeezed.

    Example:
        >>> import numpy as np
        >>> figure = pictures_figure([("truth", np.zeros((8, 8))), ("fit", np.ones((8, 8)))])
        >>> len(figure.axes) >= 2
        True
    """
    pictures = [as_picture(values, limits) for _, values in panels]
    sizes = [p.shape[:2] if keeps_ratio else shown_size(*p.shape[:2]) for p in pictures]
    height, width = sizes[0]
    columns = min(len(panels), 1 if width > 2 * height else 4 if height > 2 * width else 2)
    lines = max(title.count("\n") + 1 for title, _ in panels)
    high = WIDTH / columns * height / width + 0.17 * lines + 0.15
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = panels_of(len(panels), high, columns=columns)
        for axis, (title, _), picture, size in zip(axes, panels, pictures, sizes, strict=True):
            draw_picture(axis, picture, size)
            axis.set_title(title, fontsize=10)
        return figure
