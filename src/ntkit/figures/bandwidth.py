"""The picture of a choice: predicted quality against bandwidth, with what was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREY, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import below_cap, legend_below, marked_ticks

__all__ = ["BandwidthPanel", "bandwidth_figure"]

_UNIT = "bandwidth (cycles per unit of coordinate)"


@dataclass(frozen=True)
class BandwidthPanel:
    """One error against the bandwidth.

    Attributes:
        title: Of the panel.
        curves: Predictions by the name of their budget, `[b]` each; in rising order of budgets.
        models: Bandwidths, and what scale models of them reached.
        measured: Bandwidths, and what real training of them reached.
        level: A name and a number to compare with: a horizontal line.
        band: Smallest and largest bandwidth of a range to mark.

    Example:
        >>> panel = BandwidthPanel("unseen pixels", {"gaussian": [20.0, 25.0, 22.0]})
        >>> len(bandwidth_figure([1, 4, 16], [panel]).axes)
        1
    """

    title: str
    curves: Mapping[str, Values]
    models: tuple[Values, Values] | None = None
    measured: tuple[Values, Values] | None = None
    level: tuple[str, float] | None = None
    band: tuple[float, float] | None = None


def bandwidth_figure(
    bandwidths: Values,
    panels: Sequence[BandwidthPanel],
    *,
    emphasised: str = "",
    xlabel: str = _UNIT,
    ylabel: str = "PSNR (dB)",
    cap: float = 60.0,
) -> Figure:
    """Predicted quality against bandwidth, one curve a budget, with what was measured.

    Args:
        bandwidths: `[b]`, of the curves.
        panels: One below the other. The first one's curves should be all there are: the colours and
            the legend are theirs.
        emphasised: The name of the curve to draw thicker.
        xlabel: What the bandwidth is, with its unit.
        ylabel: What the curves are, with their unit.
        cap: No axis reaches beyond it: PSNR above 60 dB is not visible in any photo.

    Example:
        >>> panel = BandwidthPanel("unseen pixels", {"1000 steps": [20.0, 25.0, 22.0]})
        >>> len(bandwidth_figure([1, 4, 16], [panel]).axes)
        1
    """
    names = list(panels[0].curves)
    shades = dict(
        zip(names, mpl.colormaps["viridis"](np.linspace(0.05, 0.8, len(names))), strict=True)
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.7 * len(panels) + 0.7), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            for name, values in panel.curves.items():
                axis.plot(array(bandwidths), array(values), "o-", ms=3.5, color=shades[name],
                          lw=2.6 if name == emphasised else 1.4, label=name)  # fmt: skip
            _marks(axis, panel)
            axis.set(xscale="log", title=panel.title, ylabel=ylabel)
            marked_ticks(axis, array(bandwidths).tolist())
            below_cap(axis, cap)
        axes[-1].set_xlabel(xlabel)
        legend_below(figure, axes[0])
        return figure


def _marks(axis: Axes, panel: BandwidthPanel) -> None:
    """What was tried, measured, or is there to compare with."""
    if panel.models is not None:
        axis.plot(*map(array, panel.models), "D", ms=7, mfc="none", mew=1.4, color=BLUE, ls="",
                  label="scale models, at this level", zorder=4)  # fmt: skip
    if panel.measured is not None:
        axis.plot(*map(array, panel.measured), "*", ms=15, color=ORANGE, ls="",
                  label="measured", zorder=5)  # fmt: skip
    if panel.level is not None:
        axis.axhline(panel.level[1], color=GREY, ls="--", lw=1.2, label=panel.level[0])
    if panel.band is not None:  # a little room to either side, so that one bandwidth alone shows
        axis.axvspan(panel.band[0] / 1.12, panel.band[1] * 1.12, color=BLUE, alpha=0.10, lw=0)
