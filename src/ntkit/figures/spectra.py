"""Pictures of spectra."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH, Values, array

__all__ = ["density_figure", "spectrum_figure"]

_SHARE = 1e-12
"""Eigenvalues and powers below this share of the largest are left out."""


def spectrum_figure(
    place: Values,
    eigenvalues: Values,
    *,
    xlabel: str,
    power: Values | None = None,
    loss: tuple[Values, Values] | None = None,
) -> Figure:
    """Eigenvalues; with a target, its power on each mode and the loss that follows.

    Args:
        place: `[k]`, where each mode stands: its frequency, or its rank.
        eigenvalues: `[k]`.
        xlabel: What `place` is, with its unit.
        power: `[k]`, of a target.
        loss: Times, in learning rate times steps, and the losses at them.

    Example:
        >>> figure = spectrum_figure([1, 2, 3], [9.0, 3.0, 1.0], xlabel="mode")
        >>> len(figure.axes) >= 1
        True
    """
    modes = [("Eigenvalues", eigenvalues, BLUE), ("Power of the target", power, ORANGE)]
    modes = [(title, array(v), color) for title, v, color in modes if v is not None]
    count = len(modes) + (loss is not None)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.6 * count), layout="constrained")
        panels = figure.subplots(count, 1, squeeze=False)[:, 0]
        for axis, (title, values, color) in zip(panels, modes, strict=False):
            _points(axis, array(place), values, color)
            axis.set(title=title, xlabel=xlabel)
        if loss is not None:
            panels[-1].plot(array(loss[0]), array(loss[1]), color=GREY)
            panels[-1].set(title="Loss", xlabel="time (learning rate times steps)")
            panels[-1].set(xscale="log", yscale="log")
        return figure


def density_figure(places: Values, density: Values, count: Values, error: Values) -> Figure:
    """Eigenvalues per decade, and the number above each, with its error.

    Args:
        places: `[q]`, eigenvalues.
        density: `[q]`, eigenvalues per decade there.
        count: `[q]`, how many are above.
        error: `[q]`, the standard error of `count`.

    Example:
        >>> figure = density_figure(
        ...     [0.1, 1.0, 10.0], [1.0, 5.0, 2.0], [8.0, 7.0, 2.0], [0.5, 0.5, 0.5]
        ... )
        >>> len(figure.axes) >= 2
        True
    """
    x, number, spread = array(places), array(count), array(error)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1)
        above.fill_between(x, array(density), color=BLUE, alpha=0.35)
        above.plot(x, array(density), color=BLUE)
        above.set(title="Eigenvalues per decade", xlabel="eigenvalue", xscale="log", ylim=(0, None))
        below.fill_between(x, number - spread, number + spread, color=GREEN, alpha=0.3)
        below.plot(x, number, color=GREEN)
        below.set(title="Number above", xlabel="eigenvalue", xscale="log", yscale="log")
        return figure


def _points(axis: Axes, place: np.ndarray, values: np.ndarray, color: str) -> None:
    shown = values > _SHARE * values.max()
    size = 3.5 if len(values) < 1000 else 1.5
    axis.plot(place[shown], values[shown], "o", ms=size, color=color, mew=0)
    has_zero = bool((place == 0).any())
    axis.set_yscale("log")
    axis.set_xscale("symlog" if has_zero else "log")
    axis.set_xlim(left=0 if has_zero else None)
