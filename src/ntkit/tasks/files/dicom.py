"""Reading the slices of a DICOM series as a volume, sorted by where they lie."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import heard, reading, sorted_files
from ntkit.tasks.files.content import Content
from ntkit.tasks.files.sampling import check_memory, gridded

__all__ = ["is_dicom", "read_series"]

_TO_RAS = np.diag([-1.0, -1.0, 1.0])  # DICOM counts to the left and to the back, NIfTI against it
_LARGEST_GAP = 1.5  # times the smallest; beyond, slices are missing


def is_dicom(path: Path) -> bool:
    """Whether the file begins as DICOM does."""
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_series(path: Path, *, downscale: int, bytes_per_sample: int) -> Content:
    """The samples `[slice, row, column, 1]`, as slope and intercept make them (HU in CT).

    Args:
        path: A folder of one series, or a file of many frames.
        downscale: Whole factor to shrink by along all axes.
        bytes_per_sample: Working memory of a sample.

    Refused are several series, missing slices, files without pixels, damaged ones, and too large ones.
    """
    notes: list[str] = []
    with (
        reading(path, InvalidDicomError, BytesLengthException),
        heard("pydicom", notes),
    ):
        slices, size = _headers(path, notes)
        frames = [int(getattr(s, "NumberOfFrames", None) or 1) for s in slices]
        samples = sum(frames) * int(slices[0].Rows) * int(slices[0].Columns)
        check_memory(
            path,
            samples=samples,
            numbers=samples,
            bytes_per_sample=bytes_per_sample,
            way_out="Pass `--downscale {}`.",
            axes=3,
            downscale=downscale,
        )
        if len(slices) == 1:
            spacing, affine = _in_plane(path, slices[0]), None
        else:
            slices, spacing, affine = _placed(path, slices, notes)
        raw = np.concatenate([_pixels(path, s) for s in slices])
        if str(slices[0].PhotometricInterpretation) == "MONOCHROME1":
            notes.append("MONOCHROME1: large numbers are dark; they were not inverted")
        units = ("mm",) * 3 if spacing else ("slice", "px", "px")
        return gridded(
            path,
            raw[..., None],
            notes=notes,
            spacing=spacing,
            units=units,
            file_bytes=size,
            downscale=downscale,
            depth=int(slices[0].BitsStored),
            affine=affine,
            advice=" Pass the folder of a whole series." if len(raw) == 1 else "",
        )


def _headers(path: Path, notes: list[str]) -> tuple[list[Any], int]:
    """What each file says without its pixels, and their size together.

    Raises:
        ValueError: There is none, or they are not of one series, one size, gray.
    """
    files = sorted_files(path) if path.is_dir() else [path]
    slices, size, others = [], 0, 0
    for file in files:
        if path.is_dir() and not is_dicom(file) and file.suffix.lower() not in {".dcm", ".ima"}:
            others += 1
            continue
        found = pydicom.dcmread(file, stop_before_pixels=True)
        if "DirectoryRecordSequence" in found:
            continue
        if "Rows" not in found or "Columns" not in found:
            raise ValueError(f"`{shown(file)}` holds no pixels. Take it out of the series.")
        found.filename = str(file)
        slices.append(found)
        size += file.stat().st_size
    if not slices:
        raise ValueError(f"`{shown(path)}` holds no DICOM file with pixels.")
    if others:
        notes.append(f"{others} files that are no DICOM were left out")
    for name, what in (
        ("SeriesInstanceUID", "series"),
        ("Rows", "heights"),
        ("Columns", "widths"),
    ):
        count = len({str(s.get(name)) for s in slices})
        if count > 1:
            raise ValueError(
                f"`{shown(path)}` mixes {count} {what} in {len(slices)} files. Pass a folder of one "
                "series."
            )
    if any(int(s.get("SamplesPerPixel", 1)) != 1 for s in slices):
        raise ValueError(
            f"`{shown(path)}` is in colour, and a volume of one number a sample is needed."
        )
    return slices, size


def _placed(
    path: Path, slices: list[Any], notes: list[str]
) -> tuple[list[Any], tuple[float, ...] | None, np.ndarray | None]:
    """The slices in order, their spacing (slice, row, column) in mm, and the affine.

    Raises:
        ValueError: Two lie at one place, some are missing, or they do not share a direction.
    """
    if any("ImagePositionPatient" not in s or "ImageOrientationPatient" not in s for s in slices):
        notes.append("slices in the order of their numbers: the files say no positions")
        slices = sorted(slices, key=lambda s: (int(s.get("InstanceNumber") or 0), str(s.filename)))
        return slices, _in_plane(path, slices[0]), None
    directions = np.array([s.ImageOrientationPatient for s in slices], float)
    if not np.allclose(directions, directions[0], atol=1e-3):
        raise ValueError(f"`{shown(path)}` mixes slices of different directions.")
    along_columns, along_rows = directions[0, :3], directions[0, 3:]
    normal = np.cross(along_columns, along_rows)
    places = np.array([s.ImagePositionPatient for s in slices], float)
    order = np.argsort(places @ normal, kind="stable")
    slices, places = [slices[i] for i in order], places[order]
    gaps = np.diff(places @ normal)
    if not np.isfinite(gaps).all() or gaps.min() <= 1e-4:
        raise ValueError(
            f"`{shown(path)}` has two slices at one place, or one at none. Pass a folder of one series."
        )
    if gaps.max() > _LARGEST_GAP * gaps.min():
        raise ValueError(
            f"`{shown(path)}` has slices {gaps.min():g} to {gaps.max():g} mm apart: some are missing."
        )
    step = float(gaps.mean())
    if np.ptp(gaps) > 0.01 * step:
        notes.append(f"slices {gaps.min():g} to {gaps.max():g} mm apart were taken as {step:g} mm")
    plane = _in_plane(path, slices[0], step)
    if plane is None:
        return slices, None, None
    affine = np.eye(4)
    offset = (places[-1] - places[0]) / (len(slices) - 1)
    columns = (offset, along_rows * plane[1], along_columns * plane[2])
    affine[:3, :3] = _TO_RAS @ np.stack(columns, 1)
    affine[:3, 3] = _TO_RAS @ places[0]
    return slices, plane, affine


def _in_plane(path: Path, header: Any, step: float | None = None) -> tuple[float, ...] | None:
    """The spacing (slice, row, column) in mm; `None` where the file does not say.

    Raises:
        ValueError: A distance is not above 0.
    """
    plane = header.get("PixelSpacing")
    between = step or header.get("SpacingBetweenSlices") or header.get("SliceThickness")
    if plane is None or between is None:
        return None
    found = (abs(float(between)), *(float(p) for p in plane))
    if len(found) != 3 or not all(0 < f < np.inf for f in found):
        raise ValueError(
            f"`{shown(path)}` has samples {' x '.join(f'{f:g}' for f in found)} mm apart; each distance "
            "must be above 0."
        )
    return found


def _pixels(path: Path, header: Any) -> np.ndarray:
    """The samples `[frames, rows, columns]` of a file, scaled by its slope and intercept.

    Raises:
        RuntimeError: It is damaged.
        ValueError: It has none, or they are compressed in a way that needs another package.
    """
    file = Path(str(header.filename))
    found = pydicom.dcmread(file)
    if "PixelData" not in found:
        raise ValueError(f"`{shown(file)}` holds no pixels. Take it out of the series.")
    try:
        values = found.pixel_array
    except RuntimeError as error:
        if "missing dependencies" not in str(error) and "plugin" not in str(error):
            raise
        raise ValueError(
            f"`{shown(file)}` is compressed ({found.file_meta.TransferSyntaxUID.name}). Decompress the "
            "series first, or install `pylibjpeg[all]`."
        ) from None
    values = values.reshape(-1, int(header.Rows), int(header.Columns))
    slope, shift = found.get("RescaleSlope"), found.get("RescaleIntercept")
    if slope is None and shift is None:
        return values
    return values.astype(np.float64) * float(1 if slope is None else slope) + float(shift or 0)
