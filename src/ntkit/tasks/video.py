"""The job of a moving picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
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

__all__ = ["Video"]

_DEFAULT_STEP = 0.1  # seconds a frame, where the source knows none
_TEMPI = (0.25, 0.5, 1.0, 2.0)
"""Bandwidths along time that are tried, for one in space, both counted by samples along the axis."""


@job
class Video(AbstractField):
    """Colours of a moving picture over (t, y, x), each in [0, 1).

    Every other sample along each axis is trained on (one in eight), and the rest is held out. Time and space are
    different things: the bandwidth along time is chosen for itself.

    Args:
        source: A file, a folder of frames, or `[t, h, w]` or `[t, h, w, c]`.
        start: Where to begin, in seconds.
        stop: Where to end, in seconds.
        every: Take one frame of so many.
        step: Seconds between the frames of an array.
        downscale: Whole factor to shrink each frame by first.

    Example:
        >>> import torch
        >>> video = Video(torch.rand(8, 8, 8, 3))
        >>> video.grid.shape
        (8, 8, 8)
    """

    kind: ClassVar[str] = "video"
    suffixes: ClassVar[tuple[str, ...]] = (".gif", ".mp4", ".webp", ".npy")

    def __init__(
        self,
        source: Path | str | np.ndarray | Tensor,
        *,
        start: float | None = None,
        stop: float | None = None,
        every: int = 1,
        step: float | None = None,
        downscale: int = 1,
    ) -> None:
        whole = {
            "every": None if every == 1 else every,
            "downscale": None if downscale == 1 else downscale,
        }
        of_files = {"start": start, "stop": stop, **whole}
        refuse_unheeded(source, of_files=of_files, of_arrays={"step": step})
        if isinstance(source, Path | str):
            content = files.read_video(
                Path(source), start=start, stop=stop, every=every, downscale=downscale
            )
        else:
            units = ("frame" if step is None else "s", "px", "px")
            spacing = None if step is None else (positive("step", step), 1.0, 1.0)
            content = array_content(source, 3, units=units, spacing=spacing)
        super().__init__(content)

    @property
    def axis_factors(self) -> tuple[tuple[float, ...], ...]:
        """A bandwidth along time that is a quarter to twice that along the longer side, by samples."""
        t, h, w = self.axis_counts
        return tuple((float(f"{tempo * t / max(h, w):.3g}"), 1.0, 1.0) for tempo in _TEMPI)

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Strips of frames."""
        rate = 1 / _step(self.domain) if self.domain.units[0] == "s" else None
        return figures.film_figure(panels, rate=rate)

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
        """The film with any number of frames a second, at any resolution.

        Args:
            network: (t, y, x) in [0, 1) to colours.
            domain: Of the task that it was trained on.
            size: Frames, height and width.
            crop: From where to where along each axis, in samples of the file.
            rate: Frames a second, in place of the first of `size`.
        """
        if rate is not None:
            window = crop or [(0.0, float(n)) for n in domain.shape]
            lengths = [b - a for a, b in window]
            frames = max(1, round(lengths[0] * _step(domain) * rate))
            rest = size[1:] if size else [max(1, round(n)) for n in lengths[1:]]
            size = [frames, *rest]
        return super().render(network, domain, size=size, crop=crop)

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A GIF, a film, or an array."""
        domain = rendered.domain
        return files.write_video(
            path, rendered.values, step=_step(domain), levels=domain.all_levels
        )


def _step(domain: Domain) -> float:
    """Seconds between frames."""
    known = domain.spacing is not None and domain.units[0] == "s"
    return domain.spacing[0] if known and domain.spacing else _DEFAULT_STEP
