"""How fast kernels learn each frequency, over how much of a signal lies there."""

from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure

from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH, Values, array

__all__ = ["rates_figure"]

_FLOOR = 1e-9
"""Eigenvalues below this share of a kernel's largest are drawn there: they are rounding."""


def rates_figure(
    frequency: Values,
    power: Values,
    rates: Mapping[str, tuple[Values, Values]],
    *,
    nyquist: float | None = None,
    xlabel: str = "frequency (cycles per unit of coordinate)",
) -> Figure:
    """The spectrum of a signal in grey, and each kernel's eigenvalues over it.

    Args:
        frequency: `[k]`, from 0, which is not drawn.
        power: `[k]`, of the signal, above 0.
        rates: By the name of the encoding: frequencies from 0, and the kernel's eigenvalues there.
            The first one is drawn thicker, in orange.
        nyquist: Half the density of the training samples: a vertical line.
        xlabel: What the frequency is, with its unit.

    Example:
        >>> figure = rates_figure(
        ...     [1, 2, 4], [1.0, 0.5, 0.1], {"basic": ([1, 2, 4], [1.0, 0.1, 0.01])}
        ... )
        >>> len(figure.axes) >= 1
        True
    """
    k, level = array(frequency)[1:], array(power)[1:]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
        left = figure.subplots()
        left.fill_between(k, level, level.min(), color=GREY, alpha=0.25, lw=0)
        left.set(xscale="log", yscale="log", xlabel=xlabel)
        left.set_ylabel("power of the signal (levels squared)", color=GREY)
        right = left.twinx()
        for index, (name, curve) in enumerate(rates.items()):
            at, eigenvalue = map(array, curve)
            right.plot(at[1:], eigenvalue[1:].clip(eigenvalue.max() * _FLOOR), label=name,
                       color=(ORANGE, BLUE, GREEN)[index % 3], lw=1.3 if index else 2.4)  # fmt: skip
        right.set_yscale("log")
        right.set_ylabel(
            "rate at which a frequency is learned\n(eigenvalue of the kernel, 1 / time)"
        )
        right.spines["right"].set_visible(True)
        right.grid(visible=False)
        if nyquist is not None:
            left.axvline(nyquist, color=GREY, ls=":", lw=1.2)
            left.text(nyquist * 0.96, 0.03, "Nyquist of the\ntraining samples", ha="right",
                      fontsize=9, color=GREY, transform=left.get_xaxis_transform(),
                      bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 1})  # fmt: skip
        if rates:
            right.legend(fontsize=9, loc="upper right")
        else:  # no encoding alone: its rate is none of a frequency
            right.set_axis_off()
        return figure
