"""The picture of a comparison: a network in training beside its prediction."""

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from torch import Tensor

from ntkit._core.figure_style import BLUE, GREY, ORANGE, STYLE
from ntkit.dynamics.compare import Comparison

__all__ = ["comparison_figure"]


def comparison_figure(result: Comparison) -> Figure:
    """Training loss, validation error where there is one, and the distance, over steps."""
    panels = [("Training loss", result.predicted, result.trained)]
    if bool(torch.isfinite(result.validation_trained).any()):
        panels.append(("Validation error", result.validation_predicted, result.validation_trained))
    with mpl.rc_context(STYLE):
        count = len(panels) + 1
        figure = Figure(figsize=(3.6 * count, 3.2), layout="constrained")
        row = figure.subplots(1, count, squeeze=False)[0]
        for axis, (title, predicted, trained) in zip(row, panels, strict=False):
            _curve(axis, result.steps, trained, "o", "network", ORANGE)
            _curve(axis, result.steps, predicted, "-", "prediction", BLUE)
            axis.set_title(title)
        _curve(row[-1], result.steps, result.distance, "o-", "share of the change", GREY)
        row[-1].set_title("Network minus prediction")
        for axis in row:
            axis.set(xlabel="steps", yscale="log")
            axis.set_xscale("symlog", linthresh=1)
            axis.set_xlim(left=-0.2)
            low, high = axis.get_ylim()
            if high < 100 * low:  # a decade or two: numbers in between, in plain figures
                axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
                axis.yaxis.set_major_formatter("{x:g}")
                axis.yaxis.set_minor_formatter(NullFormatter())
            axis.legend(fontsize=9)
        return figure


def _curve(axis: Axes, steps: Tensor, values: Tensor, style: str, label: str, color: str) -> None:
    shown = torch.isfinite(values) & (values > 0)
    axis.plot(steps[shown], values[shown], style, ms=4, color=color, label=label)
