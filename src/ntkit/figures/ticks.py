"""Numbers along axes, and names below them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

__all__ = ["below_cap", "legend_below", "marked_ticks", "plain_decades"]

_CLOSE = 0.045
"""Ticks closer than this share of the axis would write over each other: the later one has no number."""


def plain_decades(axis: Axis) -> None:
    """On a logarithmic axis of a decade or two: numbers in between, in plain figures."""
    low, high = sorted(axis.get_view_interval())
    if high < 100 * low:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())


def marked_ticks(axis: Axes, ticks: Sequence[float]) -> None:
    """Ticks of a logarithmic horizontal axis at these numbers and nowhere else."""
    low, high = np.log(axis.get_xlim())
    labels, last = [], -np.inf
    for tick in ticks:
        free = np.log(tick) - last >= _CLOSE * (high - low)
        labels.append(f"{tick:g}" if free else "")
        last = np.log(tick) if free else last
    axis.set_xticks(ticks, labels, fontsize=9)
    axis.minorticks_off()


def below_cap(axis: Axes, cap: float) -> None:
    """The vertical axis does not reach beyond `cap`."""
    values = np.concatenate([np.asarray(line.get_ydata(), float).ravel() for line in axis.lines])
    values = values[np.isfinite(values)]
    if len(values) and values.max() > cap:
        axis.set_ylim(min(values.min(), cap) - 1, cap)


def legend_below(figure: Figure, *axes: Axes, columns: int = 3) -> None:
    """One legend for all panels, below them; each name once."""
    found = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(
        list(found.values()), list(found), fontsize=9, loc="outside lower center", ncols=columns
    )
