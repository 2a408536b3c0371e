"""The picture of a lazy-training probe."""

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ntkit._core.figure_style import BLUE, GREEN, GREY, ORANGE, STYLE
from ntkit.dynamics.lazy_history import LazyHistory

__all__ = ["lazy_figure"]


def lazy_figure(history: LazyHistory) -> Figure:
    """Weights, kernel and linearisation over steps; the loss too if the loop gave it."""
    panels = [
        ("Weights", [("relative movement", history.movement, BLUE)]),
        (
            "Kernel",
            [
                ("relative change", history.kernel_change, ORANGE),
                ("1 - alignment", 1 - history.kernel_alignment, GREY),
            ],
        ),
        (
            "Linearisation",
            [("share of the change\nit does not explain", history.nonlinearity, GREEN)],
        ),
        ("Loss", [("loss", history.loss, GREY)]),
    ]
    shown = [p for p in panels if bool(torch.isfinite(p[1][0][1]).any())]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.3 * len(shown), 3.2), layout="constrained")
        row = figure.subplots(1, len(shown), squeeze=False)[0]
        for axis, (title, curves) in zip(row, shown, strict=True):
            for label, values, color in curves:
                _curve(axis, history.steps, values, label, color)
            axis.set(title=title, xlabel="steps")
            axis.set_xscale("log")
            axis.legend(fontsize=9)
        return figure


def _curve(axis: Axes, steps: Tensor, values: Tensor, label: str, color: str) -> None:
    """One curve without the start, where all is zero up to rounding; logarithmic if it can be."""
    later = steps > 0
    steps, values = steps[later], values[later]
    if bool((values > 0).any()):
        axis.set_yscale("log")
        values = values.where(values > 0, torch.nan)
    axis.plot(steps, values, "o-", ms=3.5, color=color, label=label)
