"""The job of a sound."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit import figures
from ntkit._core.checks import positive
from ntkit.tasks import files
from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.field import AbstractField, array_content
from ntkit.tasks.jobs import job
from ntkit.tasks.source_options import refuse_unheeded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Audio", "log_spectral_distance"]

_WINDOW = 0.032  # seconds: 512 samples at 16 kHz
_FLOOR = 1e-8  # of the loudest power: 80 dB below it nothing is heard


@job
class Audio(AbstractField):
    """Pressure of a sound over time in [0, 1), its largest absolute value 1.

    Every other sample is trained on, and the rest is held out.

    Args:
        source: A file, or `[n]` or `[n, channels]` samples.
        start: Where to begin, in seconds.
        stop: Where to end, in seconds.
        rate: Samples a second of an array, in Hz.
        downscale: Whole factor to shrink by first, averaging neighbours.

    Example:
        >>> tone = Audio(torch.sin(torch.arange(1600.0)), rate=16_000)
        >>> tone.frequency(44.0)
        '440 Hz'
    """

    kind: ClassVar[str] = "audio"
    suffixes: ClassVar[tuple[str, ...]] = (".wav", ".flac", ".ogg", ".npy")

    def __init__(
        self,
        source: Path | str | np.ndarray | Tensor,
        *,
        start: float | None = None,
        stop: float | None = None,
        rate: float | None = None,
        downscale: int = 1,
    ) -> None:
        of_files = {
            "start": start,
            "stop": stop,
            "downscale": None if downscale == 1 else downscale,
        }
        refuse_unheeded(source, of_files=of_files, of_arrays={"rate": rate})
        if isinstance(source, Path | str):
            content = files.read_audio(Path(source), start=start, stop=stop, downscale=downscale)
        else:
            spacing = None if rate is None else (1 / positive("rate", rate),)
            units = ("sample",) if rate is None else ("s",)
            content = array_content(source, 1, units=units, spacing=spacing, symmetric=True)
        super().__init__(content)

    @property
    def rate(self) -> float:
        """Samples a second; 1 where it is unknown."""
        return _rate(self.domain)

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Waveforms and spectrograms."""
        return figures.sound_figure(panels, self.rate)

    def scores(
        self, shown: Float[Tensor, "n o"], network: nn.Module | None = None
    ) -> dict[str, float]:
        """The log-spectral distance."""
        del network
        found = log_spectral_distance(self.values, shown, self.rate)
        return {"log-spectral distance (dB)": found}

    def frequency(self, bandwidth: float) -> str:
        """In Hz, where the rate is known."""
        if self.domain.units != ("s",):
            return ""
        return f"{bandwidth * self.rate / self.shape[0]:.3g} Hz"

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
        rate: float | None = None,
    ) -> Rendered:
        """The sound at any rate.

        Args:
            network: Time in [0, 1) to pressure.
            domain: Of the task that it was trained on.
            size: Samples.
            crop: From where to where, in samples of the file.
            rate: Samples a second, in place of `size`.
        """
        if rate is not None:
            first, last = (crop or [(0.0, float(domain.shape[0]))])[0]
            size = [max(1, round((last - first) * rate / _rate(domain)))]
        return super().render(network, domain, size=size, crop=crop)

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A sound file, as loud as the file that it is of."""
        domain = rendered.domain
        return files.write_audio(
            path,
            rendered.values,
            rate=_rate(domain),
            levels=domain.all_levels,
            depth=domain.depth,
        )


def _rate(domain: Domain) -> float:
    return 1 / domain.spacing[0] if domain.spacing else 1.0


def log_spectral_distance(
    truth: Float[Tensor, "n o"], found: Float[Tensor, "n o"], rate: float
) -> float:
    """Root mean square difference of the two spectrograms in dB, averaged over their windows.

    Windows of 32 ms; what is 80 dB below the loudest part of the truth counts as silence.

    Args:
        truth: The sound.
        found: What is compared with it.
        rate: Samples a second.

    Source: Gray and Markel 1976, eq. 1 with p = 2.

    Example:
        >>> wave = torch.sin(torch.arange(2000.0))[:, None].double()
        >>> round(log_spectral_distance(wave, wave / 10, 16_000), 1) > 5
        True
        >>> log_spectral_distance(wave, wave, 16_000)
        0.0
    """
    size = max(8, min(int(_WINDOW * rate) if rate > 1 else 512, len(truth)))
    window = torch.hann_window(size, dtype=torch.float64)
    powers = [
        torch
        .stft(x.T.double().cpu(), size, size // 4, window=window, return_complex=True)
        .abs()
        .square()
        for x in (truth, found)
    ]
    floor = _FLOOR * float(powers[0].max())
    left, right = (10 * (p + floor).log10() for p in powers)
    return float((left - right).square().mean(-2).sqrt().mean())
