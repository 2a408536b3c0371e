"""Pictures of spectra."""

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ntkit._core.figure_style import BLUE, GREEN, GREY, ORANGE, STYLE
from ntkit.spectra.density import SpectralDensity
from ntkit.spectra.spectrum import Spectrum

__all__ = ["density_figure", "spectrum_figure"]

_SHARE = 1e-12
"""Eigenvalues and powers below this share of the largest are left out."""


def spectrum_figure(spectrum: Spectrum, y: Tensor | None) -> Figure:
    """Eigenvalues; with a target, its power on each mode and the loss that follows."""
    with mpl.rc_context(STYLE):
        count = 1 if y is None else 3
        figure = Figure(figsize=(4.2 * count, 3.4), layout="constrained")
        panels = figure.subplots(1, count, squeeze=False)[0]
        label, place = _places(spectrum)
        _points(panels[0], place, spectrum.eigenvalues, BLUE)
        panels[0].set(title="Eigenvalues", xlabel=label)
        if y is not None:
            _points(panels[1], place, spectrum.power(y), ORANGE)
            panels[1].set(title="Power of the target", xlabel=label)
            _loss(panels[2], spectrum, y)
        return figure


def density_figure(density: SpectralDensity) -> Figure:
    """Eigenvalues per decade, and the number above each, with its error."""
    nodes = density.nodes[density.nodes > _SHARE * density.nodes.max()]
    ends = nodes.log10().aminmax()
    places = torch.logspace(float(ends.min) - 0.3, float(ends.max) + 0.3, 200).double()
    counts = [density.count_above(float(s)) for s in places]
    count = torch.tensor([c.value for c in counts])
    error = torch.tensor([c.error for c in counts])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8.4, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.fill_between(places, density.density(places), color=BLUE, alpha=0.35)
        left.plot(places, density.density(places), color=BLUE)
        left.set(title="Eigenvalues per decade", xlabel="eigenvalue", xscale="log", ylim=(0, None))
        right.fill_between(places, count - error, count + error, color=GREEN, alpha=0.3)
        right.plot(places, count, color=GREEN)
        right.set(title="Number above", xlabel="eigenvalue", xscale="log", yscale="log")
        return figure


def _places(spectrum: Spectrum) -> tuple[str, Tensor]:
    """The frequency of each mode where there is one, else its rank."""
    waves = spectrum.wave_vectors
    if waves is None:
        return "rank", torch.arange(1, len(spectrum.eigenvalues) + 1)
    return "cycles per period", waves.norm(dim=1)


def _points(axis: Axes, place: Tensor, values: Tensor, color: str) -> None:
    shown = values > _SHARE * values.max()
    size = 3.5 if len(values) < 1000 else 1.5
    axis.plot(place[shown].cpu(), values[shown].cpu(), "o", ms=size, color=color, mew=0)
    axis.set_yscale("log")
    axis.set_xscale("symlog" if bool((place == 0).any()) else "log")
    axis.set_xlim(left=0 if bool((place == 0).any()) else None)


def _loss(axis: Axes, spectrum: Spectrum, y: Tensor) -> None:
    """From before the fastest mode moves until the slowest that matters is learned."""
    power = spectrum.power(y)
    matters = (power > 1e-6 * power.sum()) & (spectrum.eigenvalues > 0)
    rates = spectrum.eigenvalues[matters]
    times = torch.logspace(
        -1.5 - float(rates.max().log10()), 0.7 - float(rates.min().log10()), 200
    ).double()
    axis.plot(times, spectrum.loss(y, times).cpu(), color=GREY)
    axis.set(title="Loss", xlabel="time (learning rate times steps)", xscale="log", yscale="log")
