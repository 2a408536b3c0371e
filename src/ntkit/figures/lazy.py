"""The picture of a lazy-training probe."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.panels import panels_of
from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, Values, array
from ntkit.figures.ticks import plain_decades

__all__ = ["lazy_figure"]


def lazy_figure(
    steps: Values,
    *,
    movement: Values,
    kernel_change: Values,
    kernel_alignment: Values,
    nonlinearity: Values,
    loss: Values,
) -> Figure:
    """Weights, kernel and linearisation over steps, and the loss; a panel without a number is left out.

    Args:
        steps: `[r]`, steps taken, from 0.
        movement: `[r]`, of the weights, relative.
        kernel_change: `[r]`, relative.
        kernel_alignment: `[r]`, with the kernel at the start, 1 where only its size changed.
        nonlinearity: `[r]`, the share of the change that the linearisation does not explain.
        loss: `[r]`, NaN where it is not known.

    Example:
        >>> one = [0.0, 0.1, 0.2]
        >>> figure = lazy_figure(
        ...     [0, 10, 100], movement=one, kernel_change=one, kernel_alignment=[1, 0.9, 0.8], nonlinearity=one, loss=one
        ... )
        >>> len(figure.axes) >= 3
        True
    """
    x = array(steps)
    panels = [
        ("Weights", [("relative movement", array(movement), BLUE)]),
        (
            "Kernel",
            [
                ("relative change", array(kernel_change), ORANGE),
                ("1 - alignment", 1 - array(kernel_alignment), GREY),
            ],
        ),
        (
            "Linearisation",
            [("share of the change\nit does not explain", array(nonlinearity), GREEN)],
        ),
        ("Loss", [("loss", array(loss), GREY)]),
    ]
    shown = [p for p in panels if np.isfinite(p[1][0][1]).any()]
    with mpl.rc_context(STYLE):
        figure, axes = panels_of(len(shown), 2.5)
        for axis, (title, curves) in zip(axes, shown, strict=True):
            for label, values, color in curves:
                _curve(axis, x, values, label, color)
            axis.set(title=title, xlabel="steps")
            axis.set_xscale("log")
            if axis.get_yscale() == "log":
                plain_decades(axis.yaxis)
            axis.legend(fontsize=9)
        return figure


def _curve(axis: Axes, steps: np.ndarray, values: np.ndarray, label: str, color: str) -> None:
    """One curve without the start, where all is zero up to rounding; logarithmic if it can be."""
    later = steps > 0
    steps, values = steps[later], values[later]
    if (values > 0).any():
        axis.set_yscale("log")
        values = np.where(values > 0, values, np.nan)
    axis.plot(steps, values, "o-", ms=3.5, color=color, label=label)
