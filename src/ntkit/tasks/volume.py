"""The job of a volume."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ntkit import figures
from ntkit.tasks import files
from ntkit.tasks.domain import Rendered
from ntkit.tasks.field import AbstractField, array_content
from ntkit.tasks.jobs import job
from ntkit.tasks.source_options import refuse_unheeded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Volume"]


@job
class Volume(AbstractField):
    """Intensities of a volume over its three axes in [0, 1), in the order of the file.

    Every other voxel along each axis is trained on (one in eight), and the rest is held out.

    Args:
        source: A file, a folder of a DICOM series, or `[a, b, c]` or `[a, b, c, channels]`.
        spacing: Distance of neighbours along each axis of an array, in mm.
        downscale: Whole factor to shrink by first, averaging boxes.
        channels: Whether the last of four axes of an array file is one of channels.
        frame: Which volume of a file that holds several.

    Example:
        >>> import torch
        >>> volume = Volume(torch.rand(8, 8, 8))
        >>> volume.grid.shape
        (8, 8, 8)
    """

    kind: ClassVar[str] = "volume"
    sample: ClassVar[str] = "voxel"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii", ".tif", ".tiff", ".npy")
    writes_folders: ClassVar[bool] = True

    def __init__(
        self,
        source: Path | str | np.ndarray | Tensor,
        *,
        spacing: Sequence[float] | None = None,
        downscale: int = 1,
        channels: bool = False,
        frame: int | None = None,
    ) -> None:
        of_files = {"downscale": None if downscale == 1 else downscale, "frame": frame}
        refuse_unheeded(source, of_files=of_files, of_arrays={"spacing": spacing})
        if isinstance(source, Path | str):
            content = files.read_volume(
                Path(source), downscale=downscale, channels=channels, frame=frame
            )
        else:
            units = ("mm",) * 3 if spacing else ("sample",) * 3
            content = array_content(source, 3, units=units, spacing=spacing)
        super().__init__(content)

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Three orthogonal slices of each."""
        spacing = self.domain.spacing if self.domain.units == ("mm",) * 3 else None
        a, b, c = spacing or (1.0, 1.0, 1.0)
        upright = self.domain.affine is not None
        fields = [(title, values[..., 0]) for title, values in panels]
        return figures.slices_figure(fields, spacing=(a, b, c), upright=upright, limits=(0, 1))

    def frequency(self, bandwidth: float) -> str:
        """In cycles per mm along the longest axis, where the spacing is known."""
        if self.domain.spacing is None or self.domain.units[0] != "mm":
            return ""
        longest = max(n * d for n, d in zip(self.shape, self.domain.spacing, strict=True))
        return f"{bandwidth / longest:.2g} cycles per mm"

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A NIfTI in place, a stack, an array, or a folder of slices where the name has no ending."""
        if not path.suffix:
            upright = rendered.domain.affine is not None
            written = files.write_slices(path, rendered.values, axis=0, turned=upright)
            return [f"{len(written)} slices across the first axis"]
        domain = rendered.domain
        spacing = domain.spacing if domain.units[0] == "mm" else None
        return files.write_volume(
            path,
            rendered.values,
            levels=domain.all_levels,
            affine=domain.matrix,
            spacing=spacing,
        )
