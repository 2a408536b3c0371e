"""Reading a volume of NIfTI, with its distances in mm and its place in space."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import heard, reading
from ntkit.tasks.files.content import Content
from ntkit.tasks.files.sampling import check_memory, gridded

__all__ = ["nifti_shape", "read_nifti"]

_MM = {"meter": 1000.0, "mm": 1.0, "micron": 0.001, "unknown": 1.0}
_DAMAGED = (ImageFileError, HeaderDataError, ImageDataError, WrapStructError)


def read_nifti(path: Path, *, frame: int | None, downscale: int, bytes_per_sample: int) -> Content:
    """The samples `[i, j, k, 1]` in the order of the file, scaled by its slope and intercept.

    Args:
        path: The file.
        frame: Which volume of a file of four axes, from 0.
        downscale: Whole factor to shrink by along all axes.
        bytes_per_sample: Working memory of a sample.

    Raises:
        ValueError: It is damaged, too large, of other axes, or its spacing or affine are no lengths.
    """
    notes: list[str] = []
    with (
        reading(path, *_DAMAGED),
        heard("nibabel", notes),
    ):
        image: Any = nibabel.load(path)
        shape, index = _volume(path, image.shape, frame, notes)
        spacing, affine = _place(path, image, notes)
        samples = int(np.prod(shape))
        check_memory(
            path,
            samples=samples,
            numbers=samples,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass `--downscale {}`.",
            axes=3,
            downscale=downscale,
        )
        stored = image.get_data_dtype()
        if stored.kind not in "fiu":
            raise ValueError(f"its samples are {stored}, and real numbers are needed.")
        if len(image.shape) == 3:
            raw = np.asarray(image.dataobj)
        else:
            raw = np.asarray(image.dataobj[(..., *index)])
        return gridded(
            path,
            raw.reshape(*shape, 1),
            notes=notes,
            spacing=spacing,
            units=("mm",) * 3,
            file_bytes=path.stat().st_size,
            downscale=downscale,
            depth=32 if stored.kind == "f" else 8 * stored.itemsize,
            affine=affine,
        )


def nifti_shape(path: Path) -> tuple[int, ...]:
    """Of the volume of a NIfTI, by its header; of several volumes, and what has no three axes, refused."""
    with reading(path, *_DAMAGED), heard("nibabel", []):
        image: Any = nibabel.load(path)
        return _volume(path, image.shape, None, [])[0]


def _volume(
    path: Path, shape: tuple[int, ...], frame: int | None, notes: list[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The three axes, and where the volume is along the others.

    Raises:
        ValueError: There are fewer axes, or several volumes of which none or no such was named.
    """
    if len(shape) < 3 or min(shape) < 1:
        raise ValueError(f"`{shown(path)}` has the shape {shape}, and a volume has three axes.")
    count = int(np.prod(shape[3:]))
    if frame is None and count > 1:
        raise ValueError(
            f"`{shown(path)}` holds {count} volumes (its shape is {shape}). Say which one with `--frame`, "
            "from 0."
        )
    if frame is not None and not 0 <= frame < count:
        raise ValueError(
            f"`--frame {frame}` is none of the volumes of `{shown(path)}`: it has {count}, from 0."
        )
    if count > 1:
        notes.append(f"volume {frame} of {count}")
    index = np.unravel_index(frame or 0, shape[3:]) if shape[3:] else ()
    return shape[:3], tuple(int(i) for i in index)


def _stored_steps(image: Any) -> np.ndarray:
    """The distances as they stand in the file: nibabel makes 0 to 1, and takes off signs."""
    if "pixdim" not in image.header.keys():  # noqa: SIM118 (a header is no mapping)
        return np.asarray(image.header.get_zooms()[:3], float)
    holder = image.file_map.get("header") or image.file_map["image"]
    with holder.get_prepare_fileobj("rb") as file:
        raw = type(image.header).from_fileobj(file, check=False)
    return np.asarray(raw["pixdim"][1:4], float)


def _place(path: Path, image: Any, notes: list[str]) -> tuple[tuple[float, ...], np.ndarray]:
    """The spacing in mm, and the affine.

    Raises:
        ValueError: A spacing is not above 0, or the affine is not finite, or flat.
    """
    unit = image.header.get_xyzt_units()[0] if hasattr(image.header, "get_xyzt_units") else "mm"
    if unit == "unknown":
        notes.append("the file names no unit of length: mm were assumed")
    steps = _stored_steps(image) * _MM[unit]
    affine = np.asarray(image.affine, float).copy()
    affine[:3] *= _MM[unit]
    if not (np.isfinite(steps).all() and (steps > 0).all()):
        raise ValueError(
            f"`{shown(path)}` has samples {' x '.join(f'{s:g}' for s in steps)} mm apart; each distance "
            "must be above 0. Mend its header (pixdim)."
        )
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9 * np.prod(steps):
        raise ValueError(
            f"`{shown(path)}` has an affine with entries that are not finite, or that is flat. Mend its "
            "header (sform and qform)."
        )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.allclose(lengths, steps, rtol=1e-2):
        notes.append("the affine's distances were taken, which differ from those of the header")
        steps = lengths
    return tuple(float(s) for s in steps), affine
