"""Names in the order of a score."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ntkit.figures.style import GREY, ORANGE, STYLE, WIDTH, Values, array

__all__ = ["ranking_figure"]


def ranking_figure(names: Sequence[str], scores: Values, *, xlabel: str) -> Figure:
    """How far each name is behind the best, as bars with their numbers.

    Args:
        names: In the order that they are drawn, from above.
        scores: `[n]`, more is better.
        xlabel: What the distance is.

    Example:
        >>> figure = ranking_figure(["gaussian", "basic"], [30.0, 25.0], xlabel="PSNR (dB)")
        >>> len(figure.axes) >= 1
        True
    """
    score = array(scores)
    behind = score.max() - score
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 0.34 * len(names) + 0.75), layout="constrained")
        axis = figure.subplots()
        rows = np.arange(len(names))
        axis.barh(rows, behind, color=[ORANGE if b == 0 else GREY for b in behind], height=0.55)
        reach = behind.max() or 1.0
        for row, value in enumerate(behind):
            text = "best" if value == 0 else f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"
            axis.text(value + 0.015 * reach, row, text, va="center", fontsize=9)
        axis.set_yticks(rows, names)
        axis.invert_yaxis()
        axis.set(xlabel=xlabel, xlim=(0, 1.15 * reach))
        axis.tick_params(axis="y", length=0)
        return figure
