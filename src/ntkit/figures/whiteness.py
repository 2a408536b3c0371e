"""What is left of the data, and whether it is noise."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ntkit.figures.grid import shown_size
from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import legend_below

__all__ = ["whiteness_figure"]


def whiteness_figure(
    residual: Values,
    correlations: Mapping[str, Values],
    *,
    chance: float,
    xlabel: str = "",
    ylabel: str = "",
    unit: str = "",
) -> Figure:
    """A residual as a picture, and how much its neighbours tell of each other.

    Args:
        residual: `[h, w]`, NaN where nothing was measured.
        correlations: By the name of an axis: `[k]`, the correlation at distances 0, 1, 2, ...
        chance: Standard deviation of a correlation of white noise: a band of twice that.
        xlabel: What runs from left to right in the picture.
        ylabel: What runs from above to below.
        unit: Of the residual.

    Example:
        >>> import numpy as np
        >>> figure = whiteness_figure(np.random.randn(8, 8), {"along rows": [0.1, 0.0, 0.05]}, chance=0.1)
        >>> len(figure.axes) >= 2
        True
    """
    values = array(residual)
    size = shown_size(*values.shape)
    limit = 3 * float(np.nanstd(values)) or 1.0
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, gridspec_kw={"wspace": 0.08})
        drawn = left.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest",
                            extent=(0, size[1], size[0], 0), aspect="equal")  # fmt: skip
        left.set(
            xticks=[], yticks=[], xlabel=xlabel, ylabel=ylabel, title="what is left of the data"
        )
        left.title.set_fontsize(10)
        left.grid(visible=False)
        bar = figure.colorbar(drawn, ax=left, location="bottom", shrink=0.9, aspect=25)
        bar.ax.tick_params(labelsize=9)
        bar.ax.locator_params(nbins=3)
        bar.set_label(unit, fontsize=9)
        for index, (name, values) in enumerate(correlations.items()):
            curve = array(values)
            right.plot(np.arange(len(curve)), curve, "o-", ms=4, lw=1.4, label=name,
                       color=(ORANGE, BLUE, GREEN)[index % 3])  # fmt: skip
        right.axhspan(-2 * chance, 2 * chance, color=GREY, alpha=0.25, lw=0, label="white noise")
        right.set(xlabel="distance", title="correlation with neighbours", ylim=(None, 1.05))
        right.title.set_fontsize(10)
        legend_below(figure, right, columns=len(correlations) + 1)  # inside it would cover a curve
        return figure
