"""How well each strength of a regulariser foretells what was held out."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import legend_below

__all__ = ["strengths_figure"]


def strengths_figure(
    curves: Mapping[str, tuple[Values, Values]],
    *,
    chosen: tuple[float, float] | None = None,
    xlabel: str = "weight of total variation",
    ylabel: str = "error of what was held out",
) -> Figure:
    """Errors over a logarithmic axis, which has a place for 0 at its left.

    Args:
        curves: By name: strengths from 0 on, and the error at each. The first is drawn in orange.
        chosen: Strength and error of what was chosen: a star.
        xlabel: What the strength is.
        ylabel: What the error is.

    Example:
        >>> figure = strengths_figure(
        ...     {"kernel": ([0.0, 0.1, 1.0], [0.5, 0.3, 0.4])}, chosen=(0.1, 0.3)
        ... )
        >>> len(figure.axes) >= 1
        True
    """
    known = np.concatenate([array(strength) for strength, _ in curves.values()])
    above = known[known > 0]
    zero = above.min() / 4 if above.size else 0.1
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axis = figure.subplots()
        for index, (name, curve) in enumerate(curves.items()):
            strength, error = map(array, curve)
            order = np.argsort(strength)
            at = np.where(strength > 0, strength, zero)[order]
            axis.plot(at, error[order], "o-", ms=4, lw=1.5, label=name,
                      color=(ORANGE, BLUE, GREEN, GREY)[index % 4])  # fmt: skip
        if chosen is not None:
            axis.plot(
                chosen[0] or zero, chosen[1], "*", ms=13, color="black", label="chosen", zorder=5
            )
        axis.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
        if (known == 0).any():
            _name_zero(axis, zero)
        legend_below(figure, axis, columns=3)
        return figure


def _name_zero(axis: Axes, place: float) -> None:
    """A tick called 0 at this place, decades elsewhere."""
    low, high = axis.get_xlim()
    decades = [10.0**k for k in range(-30, 31) if place * 2 < 10.0**k < high]
    step = max(1, len(decades) // 5)
    ticks = [place, *decades[::step]]
    axis.set_xticks(ticks, ["0", *(f"$10^{{{round(np.log10(t))}}}$" for t in ticks[1:])])
    axis.set_xlim(low, high)
    axis.minorticks_off()
