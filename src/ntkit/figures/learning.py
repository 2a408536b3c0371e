"""Learning curves, predicted and measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib as mpl
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH, Values, array
from ntkit.figures.ticks import legend_below, plain_decades

__all__ = ["LearningPanel", "learning_figure"]


@dataclass(frozen=True)
class LearningPanel:
    """One error over training.

    Attributes:
        title: Of the panel.
        predicted: By the name of the encoding: steps, and the prediction at each.
        measured: By the name of the encoding: steps, and what was measured at each.
        level: A name and a number to compare with: a horizontal line.

    Example:
        >>> panel = LearningPanel("unseen pixels", predicted={"gaussian": ([1, 10, 100], [10.0, 20.0, 25.0])})
        >>> len(learning_figure([panel]).axes)
        1
    """

    title: str
    predicted: Mapping[str, tuple[Values, Values]] = field(default_factory=dict)
    measured: Mapping[str, tuple[Values, Values]] = field(default_factory=dict)
    level: tuple[str, float] | None = None


def learning_figure(
    panels: Sequence[LearningPanel],
    *,
    emphasised: str = "",
    xlabel: str = "training (steps)",
    ylabel: str = "PSNR (dB)",
) -> Figure:
    """Learning curves over a logarithmic axis: dashed as predicted, solid as measured.

    Args:
        panels: One below the other, on one vertical scale.
        emphasised: The name of the encoding to draw in orange.
        xlabel: What the curves are over, with its unit.
        ylabel: What the curves are, with their unit.

    Example:
        >>> panel = LearningPanel("unseen pixels", predicted={"gaussian": ([1, 10, 100], [10.0, 20.0, 25.0])})
        >>> len(learning_figure([panel]).axes)
        1
    """
    names = {n: None for p in panels for n in (*p.predicted, *p.measured) if n != emphasised}
    colors = {name: (BLUE, GREEN, GREY)[i % 3] for i, name in enumerate(names)}
    colors[emphasised] = ORANGE
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.6 * len(panels) + 0.7), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            for name, (steps, values) in panel.predicted.items():
                axis.plot(array(steps), array(values), color=colors[name], ls="--", lw=1.5,
                          label=f"{name}, predicted")  # fmt: skip
            for name, (steps, values) in panel.measured.items():
                axis.plot(array(steps), array(values), "o-", ms=4, color=colors[name],
                          label=f"{name}, measured")  # fmt: skip
            if panel.level is not None:
                axis.axhline(panel.level[1], color=GREY, ls=":", lw=1.2, label=panel.level[0])
            axis.set(xscale="log", title=panel.title, ylabel=ylabel)
            plain_decades(axis.xaxis)
        axes[-1].set_xlabel(xlabel)
        legend_below(figure, *axes, columns=2)
        return figure
