"""Sounds: the waveform beside its spectrogram."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mlab import specgram

from ntkit.figures.style import BLUE, STYLE, WIDTH, Values, array

__all__ = ["sound_figure"]

_WINDOW = 0.025
"""Seconds of a window: long enough for the harmonics of a voice, short enough for its syllables."""

_COLUMNS = 600
"""A longer waveform is drawn as its smallest and largest sample in so many stretches."""


def sound_figure(
    sounds: Sequence[tuple[str, Values]], rate: float, *, start: float = 0.0, depth: float = 80.0
) -> Figure:
    """One row a sound: its waveform, and its spectrogram in decibels below the first one's peak.

    All rows share their scales, so that a fit is seen beside the truth as it is heard.

    Args:
        sounds: Title, and samples `[n]` or `[n, channels]`, of which the mean is drawn; the truth first.
        rate: Samples a second.
        start: Seconds, where the first sample stands.
        depth: Decibels below the peak that are still told apart.

    Example:
        >>> import numpy as np
        >>> figure = sound_figure([("tone", np.sin(np.arange(4000) / 3))], 8000.0)
        >>> len(figure.axes) >= 2
        True
    """
    waves = [(title, _mono(samples)) for title, samples in sounds]
    spectra = [_decibels(wave, rate, start) for _, wave in waves]
    peak = spectra[0][0].max()
    loudest = max(float(np.abs(wave).max()) for _, wave in waves) or 1.0
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(WIDTH, 1.55 * len(waves) + 0.4), layout="constrained")
        axes = figure.subplots(len(waves), 2, squeeze=False, sharex=True, width_ratios=(1, 1.25))
        image = None
        for (left, right), (title, wave), (levels, extent) in zip(
            axes, waves, spectra, strict=True
        ):
            end = start + len(wave) / rate
            _wave(left, wave, start, end)
            left.set_ylim(-1.05 * loudest, 1.05 * loudest)
            left.set_title(title, fontsize=10, loc="left")
            image = right.imshow(levels - peak, origin="lower", aspect="auto", extent=extent,
                                 vmin=-depth, vmax=0, cmap="magma")  # fmt: skip
            right.set_facecolor("black")  # half a window at each end has no spectrum
            right.set(xlim=(start, end), ylim=(0, rate / 2000), ylabel="kHz")
        for axis in axes[-1]:
            axis.set_xlabel("time (s)")
        if image is not None:
            figure.colorbar(
                image, ax=list(axes[:, 1]), label="dB, from the peak of the first", aspect=30
            )
        return figure


def _mono(samples: Values) -> np.ndarray:
    wave = array(samples)
    return wave if wave.ndim == 1 else wave.mean(1)


def _decibels(
    wave: np.ndarray, rate: float, start: float
) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """`[frequency, time]`, power in decibels, and its edges: seconds, seconds, kHz, kHz.

    Silence is the smallest number there is.
    """
    window = max(4, min(int(_WINDOW * rate), len(wave) // 4))
    padded = np.pad(wave, (0, max(0, 2 * window - len(wave))))
    hop = max(1, window // 4, min(window, len(wave) // 2000))
    found = specgram(padded, NFFT=window, Fs=rate, noverlap=window - hop)
    power, bins, times = (np.asarray(part, dtype=float) for part in found)
    levels = 10 * np.log10(np.maximum(power, np.finfo(float).tiny))
    # Each column and row is drawn around its centre: half a step beyond the first and the last.
    aside, above = hop / rate / 2, (bins[1] - bins[0]) / 2
    seconds = start + times[0] - aside, start + times[-1] + aside
    return levels, (*seconds, (bins[0] - above) / 1000, (bins[-1] + above) / 1000)


def _wave(axis: Axes, wave: np.ndarray, start: float, end: float) -> None:
    if len(wave) <= 2 * _COLUMNS:
        axis.plot(np.linspace(start, end, len(wave), endpoint=False), wave, color=BLUE, lw=0.8)
        return
    stretches = np.array_split(wave, _COLUMNS)
    low, high = [s.min() for s in stretches], [s.max() for s in stretches]
    axis.fill_between(np.linspace(start, end, _COLUMNS), low, high, color=BLUE, lw=0.4)
