"""Values at scattered points."""

from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.lines import lines_figure
from ntkit.figures.panels import panels_of
from ntkit.figures.style import BLUE, GREY, STYLE, Values, array

__all__ = ["agreement_figure", "points_figure"]


def points_figure(
    points: Values,
    fields: Sequence[tuple[str, Values]],
    *,
    labels: Sequence[str] = ("first coordinate", "second coordinate"),
    value: str = "value",
    aspect: Literal["auto", "equal"] = "auto",
) -> Figure:
    """Points of the plane coloured by value, a panel a field; of a line: one panel of curves.

    Args:
        points: `[n, 2]`, or `[n, 1]`, in any order.
        fields: Name, and `[n]` values; the truth first, whose range is that of the colours.
        labels: The coordinates, with their units.
        value: The values, with their unit.
        aspect: "equal" where both coordinates have one unit.

    Raises:
        ValueError: The points have another number of coordinates.

    Example:
        >>> import numpy as np
        >>> figure = points_figure(np.random.rand(9, 2), [("rain", np.arange(9.0))])
        >>> len(figure.axes) >= 1
        True
    """
    places = array(points)
    if places.ndim != 2 or places.shape[1] not in {1, 2}:
        raise ValueError(
            f"`points_figure(points=...)` draws one or two coordinates, `[n, 1]` or `[n, 2]`; got the "
            f"shape {list(places.shape)}. `agreement_figure` draws values without their points."
        )
    if places.shape[1] == 1:
        order = places[:, 0].argsort()
        curves = [(name, array(values)[order]) for name, values in fields]
        return lines_figure(places[order, 0], curves, xlabel=labels[0], ylabel=value)
    low, high = array(fields[0][1]).min(), array(fields[0][1]).max()
    with mpl.rc_context(STYLE):
        figure, axes = panels_of(len(fields), 2.7, shared=True)
        drawn = None
        for axis, (name, values) in zip(axes, fields, strict=True):
            drawn = axis.scatter(
                *places.T, c=array(values), s=_size(len(places)), lw=0, vmin=low, vmax=high
            )
            axis.set_title(name, fontsize=10)
            axis.set_aspect(aspect)
        _label(axes, *labels)
        if drawn is not None:
            figure.colorbar(drawn, ax=axes, label=value, location="bottom", aspect=40)
        return figure


def agreement_figure(
    truth: Values, fits: Sequence[tuple[str, Values]], *, value: str = "value"
) -> Figure:
    """What each fit says against what is true: on the diagonal, where they agree.

    Args:
        truth: `[n]`, at points that were not trained on.
        fits: Name, and `[n]` values.
        value: The values, with their unit.

    Example:
        >>> figure = agreement_figure([0.0, 1.0, 2.0], [("fit", [0.1, 0.9, 2.0])])
        >>> len(figure.axes) >= 1
        True
    """
    x = array(truth)
    with mpl.rc_context(STYLE):
        figure, axes = panels_of(len(fits), 2.6, shared=True)
        for axis, (name, values) in zip(axes, fits, strict=True):
            axis.plot((x.min(), x.max()), (x.min(), x.max()), color=GREY, lw=1)
            axis.scatter(x, array(values), s=_size(len(x)), lw=0, color=BLUE, alpha=0.5)
            axis.set_title(name, fontsize=10)
        _label(axes, f"measured {value}", f"fitted {value}")
        return figure


def _size(n_points: int) -> float:
    """Of a dot, in square points: less where there are many."""
    return min(max(6000 / n_points, 1.0), 24.0)


def _label(axes: Sequence[Axes], xlabel: str, ylabel: str) -> None:
    """Names at the left of each row of two, and below the last panel of each column."""
    for axis in axes[::2]:
        axis.set_ylabel(ylabel)
    for axis in axes[-2:]:
        axis.set_xlabel(xlabel)
