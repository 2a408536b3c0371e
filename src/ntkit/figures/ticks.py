"""Numbers along axes."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter

__all__ = ["marked_ticks", "plain_decades"]


def plain_decades(axis: Axes) -> None:
    """On a logarithmic vertical axis of a decade or two: numbers in between, in plain figures."""
    low, high = axis.get_ylim()
    if high < 100 * low:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())


def marked_ticks(axis: Axes, ticks: Sequence[float]) -> None:
    """Ticks of a horizontal axis at these numbers and nowhere else."""
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks], fontsize=8)
    axis.minorticks_off()
