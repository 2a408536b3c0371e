"""Maps of numbers beside each other, each with its own scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ntkit.figures.grid import as_picture, draw_picture, shown_size
from ntkit.figures.panels import panels_of
from ntkit.figures.style import STYLE, WIDTH, Values, array

__all__ = ["MapPanel", "maps_figure"]

_BAR = 0.18
"""Inches from a map to the scale below it, which takes no room from the map: maps of a row stay of one size."""


@dataclass(frozen=True)
class MapPanel:
    """One map.

    Attributes:
        title: Of the panel.
        values: `[h, w]`, or `[h, w, 3]` for colours, which have no scale; NaN is left blank. Longer shapes show their
            middle slice.
        limits: Least and largest of the scale.
        label: What the numbers are, with their unit; empty to leave the scale out.
        colours: A colour map of matplotlib's.

    Example:
        >>> panel = MapPanel("error", np.zeros((2, 2)), (0.0, 0.5), label="PSNR (dB)")
        >>> panel.title
        'error'
    """

    title: str
    values: Values
    limits: tuple[float, float]
    label: str = ""
    colours: str = "gray"


def maps_figure(panels: Sequence[MapPanel], *, columns: int = 2) -> Figure:
    """Maps with their titles and, below each that has a label, its scale.

    Args:
        panels: The maps, all of one shape.
        columns: How many stand side by side.

    Example:
        >>> figure = maps_figure([MapPanel("error", np.zeros((2, 2)), (0.0, 0.5))])
        >>> len(figure.axes) >= 1
        True
    """
    height, width = shown_size(*_flat(panels[0].values).shape[:2])
    columns = min(columns, len(panels), 1 if width > 2 * height else columns)
    lines = max(panel.title.count("\n") + 1 for panel in panels)
    high = WIDTH / columns * height / width + 0.17 * lines + 0.15
    high += 0.5 if any(panel.label for panel in panels) else 0.0
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, axes = panels_of(len(panels), high, columns=columns)
        for axis, panel in zip(axes, panels, strict=True):
            values = _flat(panel.values)
            if values.ndim == 3:
                draw_picture(axis, as_picture(values, panel.limits), shown_size(*values.shape[:2]))
            else:
                size = shown_size(*values.shape)
                drawn = axis.imshow(
                    values, cmap=panel.colours, vmin=panel.limits[0], vmax=panel.limits[1],
                    interpolation="nearest", extent=(0, size[1], size[0], 0), aspect="equal",
                )  # fmt: skip
                axis.set(xticks=[], yticks=[])
                axis.spines[:].set_visible(False)
                if panel.label:
                    place = axis.inset_axes((0.05, -_BAR / high, 0.9, 0.08 / high))
                    bar = figure.colorbar(drawn, cax=place, orientation="horizontal")
                    bar.set_label(panel.label, fontsize=9)
                    bar.ax.tick_params(labelsize=9)
                    bar.ax.locator_params(nbins=4)
                    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
            axis.set_title(panel.title, fontsize=10)
        return figure


def _flat(values: Values) -> np.ndarray:
    """`[h, w]` or `[h, w, c]`, the middle slice of a longer shape; a last axis of one or two is its first entry."""
    found = array(values)
    while found.ndim > 3 or (found.ndim == 3 and found.shape[-1] > 4):
        found = found[len(found) // 2]
    return found[..., 0] if found.ndim == 3 and found.shape[-1] < 3 else found
