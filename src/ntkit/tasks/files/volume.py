"""Reading a volume: NIfTI, a DICOM series, a stack of TIFF pages, or an array of three axes."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.content import Content
from ntkit.tasks.files.sampling import BYTES_PER_SAMPLE, check_factor, check_memory, gridded

__all__ = ["read_volume"]

_COLOURS = 4  # a last axis of at most so many, behind three others, is of channels


def read_volume(
    path: Path,
    *,
    downscale: int = 1,
    channels: bool = False,
    frame: int | None = None,
    bytes_per_sample: int = BYTES_PER_SAMPLE,
) -> Content:
    """The samples of a volume `[n1, n2, n3, c]`, with their distances in mm where the file says them.

    A NIfTI keeps its order of axes; slices of a DICOM series and pages of a TIFF are the first axis.

    Args:
        path: A file `.nii`, `.nii.gz`, `.npy`, `.tif` or `.dcm` of many frames, or a folder of a DICOM
            series.
        downscale: Whole factor to shrink by along all axes, averaging boxes.
        channels: Whether the last of four axes of an array is one of channels, however long.
        frame: Which volume of a NIfTI or an array of four axes, from 0.
        bytes_per_sample: Working memory of a sample, by which volumes that are too large are refused.

    Raises:
        ValueError: It is no volume, damaged, too small, too large, constant, not finite, or its spacing is
            no length.
    """
    check_factor(downscale)
    options = {"downscale": downscale, "bytes_per_sample": bytes_per_sample}
    if path.is_dir():
        return needed("ntkit.tasks.files.dicom").read_series(path, **options)
    size = require_file(path, "a NIfTI, a .npy array, a TIFF stack, or a folder of a DICOM series")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz", ".hdr", ".img", ".mgz")):
        return needed("ntkit.tasks.files.nifti").read_nifti(path, frame=frame, **options)
    if is_array(path):
        with reading(path):
            values, notes = _array(path, channels, frame)
            check_memory(
                path,
                samples=int(np.prod(values.shape[:3])),
                numbers=values.size,
                bytes_per_sample=bytes_per_sample,
                way_out="Pass `--downscale {}`.",
                axes=3,
                downscale=downscale,
            )
            return gridded(
                path,
                values,
                notes=notes,
                spacing=None,
                units=("sample",) * 3,
                file_bytes=size,
                downscale=downscale,
            )
    if name.endswith((".tif", ".tiff")):
        return needed("ntkit.tasks.files.stack").read_stack(path, **options)
    if needed("ntkit.tasks.files.dicom").is_dicom(path):
        return needed("ntkit.tasks.files.dicom").read_series(path, **options)
    raise ValueError(
        f"`{shown(path)}` is no volume that is known by its name. Pass a NIfTI (.nii, .nii.gz), a .npy "
        "array of three axes, a TIFF stack, or a folder of a DICOM series."
    )


def _array(path: Path, channels: bool, frame: int | None) -> tuple[np.ndarray, list[str]]:
    """`[n1, n2, n3, c]` of an array, and notes.

    Raises:
        ValueError: Its axes are not those of a volume.
    """
    values = read_array(path, axes={1, 2, 3, 4})
    notes: list[str] = []
    if frame is not None:
        if values.ndim != 4 or not 0 <= frame < len(values):
            raise ValueError(
                f"`--frame {frame}` does not fit an array of shape {values.shape}: it takes one volume of "
                "the first of four axes, counted from 0. One slice is an image: `--as image`."
            )
        notes.append(f"volume {frame} of {len(values)}")
        values = values[frame]
    if values.ndim == 3 and not channels:
        return values[..., None], notes
    if values.ndim == 4 and (channels or values.shape[-1] <= _COLOURS):
        return values, notes
    raise ValueError(
        f"`{shown(path)}` has the shape {values.shape}, and a volume has three axes. Name one of several "
        "volumes with `--frame`, say `--channels` if the last of four axes is one of channels, or pass "
        "`--as audio` or `--as image`."
    )
