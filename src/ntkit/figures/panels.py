"""Panels in two columns."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.style import WIDTH

__all__ = ["panels_of"]


def panels_of(
    count: int, height: float, *, columns: int = 2, shared: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels, a row after the other, and the panels.

    Args:
        count: Panels, one or more.
        height: Of a row, in inches.
        columns: Panels in a row, if there are as many.
        shared: All panels have the same axes, with numbers at the left and at the bottom only.
    """
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False, sharex=shared, sharey=shared).flat)
    for empty in axes[count:]:
        empty.remove()
    for axis in axes[max(0, count - columns) : count]:  # nothing stands below these
        axis.xaxis.set_tick_params(labelbottom=True)
    return figure, axes[:count]
