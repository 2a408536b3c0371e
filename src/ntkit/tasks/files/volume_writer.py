"""Writing volumes: NIfTI with their place in space, a stack of TIFF pages, or `.npy`."""

import gzip
from collections.abc import Sequence
from pathlib import Path

import nibabel
import numpy as np

from ntkit._core.whole_files import write_bytes
from ntkit.tasks.files.access import needed
from ntkit.tasks.files.array_writer import require_finite, write_array
from ntkit.tasks.files.content import Levels
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["resampled_affine", "write_volume"]


def write_volume(
    path: Path,
    values: np.ndarray,
    *,
    levels: Levels | None = None,
    affine: np.ndarray | None = None,
    spacing: Sequence[float] | None = None,
) -> list[str]:
    """Write a volume as float32, whole, in the format of its name.

    Args:
        path: Where to write: .nii, .nii.gz, .tif or .npy.
        values: `[n1, n2, n3, c]` in fitted units.
        levels: What fitted units are in numbers of the file: 0 and 1 if `None`.
        affine: `[4, 4]`, from the index to mm.
        spacing: Distances in mm, where there is no affine; 1 if there are neither.

    Raises:
        ValueError: The name is of no such format, or the values or the affine are not finite.
    """
    name = path.name.lower()
    if name.endswith(".npy"):
        return write_array(path, values, levels=levels)
    require_finite(values)
    numbers = (levels or Levels(0, 1)).back(values).astype(np.float32)
    numbers = numbers[..., 0] if numbers.shape[-1] == 1 else numbers
    if name.endswith((".tif", ".tiff")):
        colour = numbers.ndim == 4 and numbers.shape[-1] in {3, 4}
        write_bytes(path, needed("ntkit.tasks.files.tiffs").pages_of(numbers, colour=colour))
        return []
    if not name.endswith((".nii", ".nii.gz")):
        raise ValueError(wrong_ending(path, (".nii.gz", ".nii", ".tif", ".npy"), what="volume"))
    notes = []
    if affine is None:
        notes = [] if spacing else ["no distances are known: samples are 1 mm apart"]
        affine = np.diag([*(spacing or (1.0, 1.0, 1.0)), 1.0])
    if np.shape(affine) != (4, 4) or not np.isfinite(affine).all():
        raise ValueError("`affine` must be 4 x 4 finite numbers, from the index to mm.")
    image = nibabel.Nifti1Image(numbers, affine)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    # The time stays out of it, so that equal volumes are equal files.
    write_bytes(path, gzip.compress(content, 6, mtime=0) if name.endswith(".gz") else content)
    return notes


def resampled_affine(
    affine: np.ndarray, step: Sequence[float], start: Sequence[float] = (0.0, 0.0, 0.0)
) -> np.ndarray:
    """The affine of a grid whose sample `j` lies at the index `start + step * j` of the old one.

    Args:
        affine: `[4, 4]`, of the old grid.
        step: Distance of new neighbours along each axis, in old samples: old over new size for a whole
            volume.
        start: Where the new grid begins, in old samples.

    Example:
        >>> resampled_affine(np.eye(4), (0.5, 0.5, 0.5))[0]
        array([0.5, 0. , 0. , 0. ])
    """
    change = np.diag([*step, 1.0])
    change[:3, 3] = start
    return affine @ change
