"""Lines of a signal along one coordinate."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREEN, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import legend_below

__all__ = ["lines_figure"]


def lines_figure(
    x: Values,
    curves: Sequence[tuple[str, Values]],
    *,
    xlabel: str = "coordinate (units)",
    ylabel: str = "level (0 to 1)",
) -> Figure:
    """Curves over one coordinate in one panel; the first one is the truth, in black.

    Args:
        x: `[n]`, rising.
        curves: Name, and `[n]` values.
        xlabel: The coordinate, with its unit.
        ylabel: The values, with their unit.

    Example:
        >>> figure = lines_figure(
        ...     [0.0, 0.5, 1.0], [("truth", [0, 1, 0]), ("fit", [0, 0.9, 0])]
        ... )
        >>> len(figure.axes) >= 1
        True
    """
    colors = ("black", BLUE, ORANGE, GREEN)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axis = figure.subplots()
        for index, (name, values) in enumerate(curves):
            axis.plot(array(x), array(values), color=colors[index % 4], lw=1.2, label=name)
        axis.set(xlabel=xlabel, ylabel=ylabel)
        legend_below(figure, axis, columns=1)
        return figure
