"""The job of a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ntkit import figures
from ntkit.tasks import files
from ntkit.tasks.domain import Rendered
from ntkit.tasks.field import AbstractField, array_content
from ntkit.tasks.jobs import job
from ntkit.tasks.signal import with_error
from ntkit.tasks.source_options import refuse_unheeded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Image"]


@job
class Image(AbstractField):
    """Colours of a picture, over (y, x) in [0, 1) from the upper left.

    Every other pixel along each axis is trained on, and the rest is held out.

    Args:
        source: A file, or `[h, w]` or `[h, w, c]` with levels in [0, 1] (or of 8 or 16 bits).
        mask: Which pixels are known (inpainting): a black and white picture, white where it is known, or a
            boolean array `[h, w]`. Part of the known pixels is held out then.
        factor: For super-resolution: all pixels are trained on, and a rendering is so many times as large.
        downscale: Whole factor to shrink a file by first.
        channels: Whether the file has many bands.
        frame: Which picture of a file that holds several.

    Example:
        >>> picture = Image(torch.rand(16, 24, 3).double())
        >>> picture.shape, picture.n_outputs, len(picture.measurement.index)
        ((16, 24), 3, 96)
    """

    kind: ClassVar[str] = "image"
    sample: ClassVar[str] = "pixel"
    suffixes: ClassVar[tuple[str, ...]] = (
        *(".png", ".tif", ".jpg", ".webp", ".npy"),
        *(".tiff", ".jpeg", ".bmp", ".gif", ".ppm"),
    )

    def __init__(
        self,
        source: Path | str | np.ndarray | Tensor,
        *,
        mask: Path | str | np.ndarray | Tensor | None = None,
        factor: int = 1,
        downscale: int = 1,
        channels: bool = False,
        frame: int | None = None,
    ) -> None:
        of_files = {"downscale": None if downscale == 1 else downscale, "frame": frame}
        refuse_unheeded(source, of_files=of_files, of_arrays={})
        if isinstance(source, Path | str):
            content = files.read_image(
                Path(source), downscale=downscale, channels=channels, frame=frame
            )
        else:
            content = array_content(source, 2, units=("px", "px"), spacing=(1.0, 1.0))
        if isinstance(mask, Path | str):
            mask = files.read_mask(Path(mask), content.shape, downscale=downscale)
        known = None if mask is None else torch.as_tensor(np.asarray(mask))
        super().__init__(content, mask=known, factor=factor)

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Pictures side by side, and the error of the last."""
        return figures.pictures_figure(with_error(panels))

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """An image file, with the bits of the file that it is of."""
        domain = rendered.domain
        return files.write_image(
            path, rendered.values, levels=domain.all_levels, depth=domain.depth
        )
