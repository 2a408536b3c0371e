"""The picture of a comparison: a network in training beside its prediction."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREY, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import plain_decades

__all__ = ["comparison_figure"]


def comparison_figure(
    steps: Values, pairs: Sequence[tuple[str, Values, Values]], distance: Values
) -> Figure:
    """Errors of a prediction and of the network over steps, one panel a pair, and their distance.

    Args:
        steps: `[s]`, rising, from 0.
        pairs: Title, `[s]` predicted, `[s]` measured; one of which nothing was measured is left out.
        distance: `[s]`, between network and prediction, as a share of the change.

    Example:
        >>> figure = comparison_figure(
        ...     [1, 10, 100], [("loss", [3.0, 2.0, 1.0], [3.1, 2.1, 1.2])], [0.1, 0.1, 0.2]
        ... )
        >>> len(figure.axes) >= 2
        True
    """
    shown = [pair for pair in pairs if np.isfinite(array(pair[2])).any()]
    count = len(shown) + 1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.3 * count + 0.3), layout="constrained")
        column = figure.subplots(count, 1, squeeze=False, sharex=True)[:, 0]
        for axis, (title, predicted, measured) in zip(column, shown, strict=False):
            _curve(axis, steps, measured, "o", "network", ORANGE)
            _curve(axis, steps, predicted, "-", "prediction", BLUE)
            axis.set_title(title)
        _curve(column[-1], steps, distance, "o-", "share of the change", GREY)
        column[-1].set(title="Network minus prediction", xlabel="steps")
        for axis in column:
            _logarithmic(axis)
            axis.legend(fontsize=9)
        return figure


def _curve(axis: Axes, steps: Values, values: Values, style: str, label: str, color: str) -> None:
    x, y = array(steps), array(values)
    shown = np.isfinite(y) & (y > 0)
    axis.plot(x[shown], y[shown], style, ms=4, color=color, label=label)


def _logarithmic(axis: Axes) -> None:
    axis.set_yscale("log")
    axis.set_xscale("symlog", linthresh=1)
    axis.set_xlim(left=-0.2)
    plain_decades(axis.yaxis)
