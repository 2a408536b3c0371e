"""Projections from a file, and the scan that they come from."""

from collections.abc import Sequence
from math import atan, floor, sin
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkit._core.checks import positive
from ntkit._core.whole_files import shown
from ntkit.experiments.problems.angles import angles_of, seem_radians
from ntkit.experiments.problems.checked import measured_values, refuse_too_large
from ntkit.experiments.problems.problem import Problem
from ntkit.experiments.problems.truth import read_truth
from ntkit.experiments.reconstruct_spec import CtSpec
from ntkit.measurements import AbstractMeasurement, Radon
from ntkit.reconstruction import filtered_back_projection
from ntkit.tasks import Domain
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import read_array

__all__ = ["open_ct"]

_SIDES = (4, 4096)
"""Pixels a side: fewer are no picture, more need memory that no machine has."""


def open_ct(spec: CtSpec) -> Problem:
    """The line integrals of a file, and `Radon` as it made them.

    Raises:
        ValueError: Angles, data and geometry do not fit each other.
    """
    data = _sinogram(spec)
    if spec.angles is None:
        raise ValueError(
            f"`--angles` of the {len(data)} views of `{shown(spec.data)}` are missing: FROM:TO:COUNT in degrees, as in "
            f"`--angles 0:180:{len(data)}`, or a file."
        )
    degrees = angles_of(spec.angles)
    _check_views(spec, data.shape, degrees)
    A = _scan(spec, data.shape, degrees)
    y = torch.from_numpy(np.ascontiguousarray(data))
    pixel = _pixel(spec)
    kind = "volume" if len(A.field_shape) == 3 else "image"
    spacing, units = (pixel,) * len(A.field_shape), ("mm",) * len(A.field_shape)
    return Problem(
        y=y,
        A=A,
        domain=Domain(kind, A.field_shape, 1, units=units, spacing=spacing, depth=32),
        baseline=_back_projected(y, A),
        bounds=(0.0, None),
        unit="1/mm",
        notes=tuple(_notes(spec, data, degrees, A)),
        truth=read_truth(spec.truth, A.field_shape),
        held="whole views",
        arranged=_as_measured,
    )


def _back_projected(y: Tensor, A: Radon) -> tuple[str, Tensor]:
    """Filtered; of a short scan of a fan, for which that has no weights, as it is."""
    try:
        return "filtered back-projection", filtered_back_projection(y[..., None], A)[..., 0]
    except ValueError:
        smeared = A.adjoint(y[..., None])
        again = A(smeared)[..., 0]
        return "back-projection", smeared[..., 0] * float((again * y).sum() / again.square().sum())


def _as_measured(_: AbstractMeasurement, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """A sinogram is a picture: views from above to below, detectors from left to right."""
    return data


def _sinogram(spec: CtSpec) -> np.ndarray:
    """`[views, detectors]` or `[views, detectors, rows]`.

    Raises:
        ValueError: There are not as many axes as the geometry has.
    """
    require_file(spec.data, "a NumPy array of line integrals, [views, detectors]")
    if spec.data.suffix.lower() not in {".npy", ".npz"}:
        raise ValueError(
            f"`{shown(spec.data)}` has the ending {spec.data.suffix or 'of no file'}: line integrals are read from .npy, "
            "[views, detectors]. Save them with `numpy.save`."
        )
    with reading(spec.data):
        values = read_array(spec.data, axes={2, 3})
    wanted = {"fan": {2}, "cone": {3}}.get(spec.geometry or "parallel", {2, 3})
    if values.ndim not in wanted:
        raise ValueError(
            f"`{shown(spec.data)}` has shape {values.shape}: data of `--geometry {spec.geometry or 'parallel'}` are "
            f"{'[views, detectors, rows]' if wanted == {3} else '[views, detectors]'}."
        )
    if spec.transpose:
        if values.ndim == 3:
            raise ValueError(
                "`--transpose` is of [detectors, views]; save data with rows as [views, detectors, rows]."
            )
        values = values.T
    return measured_values(spec.data, values)


def _check_views(spec: CtSpec, shape: tuple[int, ...], degrees: Sequence[float]) -> None:
    """As many angles as views.

    Raises:
        ValueError: There are others.
    """
    if len(degrees) == shape[0]:
        return
    if len(degrees) == shape[1] and len(shape) == 2 and not spec.transpose:
        raise ValueError(
            f"`{shown(spec.data)}` has {shape[0]} rows and {shape[1]} columns, and there are {len(degrees)} angles: its "
            "columns are the views, as of scikit-image. Pass `--transpose`."
        )
    raise ValueError(
        f"`{shown(spec.data)}` has {shape[0]} views of {shape[1]} detectors, and `--angles` are {len(degrees)}. One angle "
        "a view is needed."
    )


def _scan(spec: CtSpec, shape: tuple[int, ...], degrees: Sequence[float]) -> Radon:
    """`Radon` of the geometry.

    Raises:
        ValueError: A distance is missing, or one too many.
    """
    geometry, pixel = spec.geometry or "parallel", positive("pixel", _pixel(spec))
    far, behind = spec.source_distance, spec.detector_distance
    if geometry == "parallel" and (far is not None or behind is not None or spec.curved):
        flag = "--curved" if spec.curved else "--source-distance and --detector-distance"
        raise ValueError(f"`{flag}` is of `--geometry fan` and `cone`; parallel rays have none.")
    if geometry != "parallel" and (far is None or behind is None):
        raise ValueError(
            f"`--geometry {geometry}` needs `--source-distance` and `--detector-distance`, in mm from the axis of rotation."
        )
    larger = (
        1.0 if far is None or behind is None else (far + behind) / positive("source_distance", far)
    )
    asked = spec.detector_spacing
    spacing = positive("detector_spacing", pixel * larger if asked is None else asked)
    sizes = _size(spec, shape, spacing / pixel, larger)
    refuse_too_large(sizes, 1, "pass a smaller `--size`")
    astra = spec.convention == "astra"
    n_detectors = shape[1:]
    common: dict[str, Any] = {
        "spacing": pixel,
        "n_detectors": n_detectors if len(shape) == 3 else n_detectors[0],
        "detector_spacing": spacing,
        "centre": [(n - 1) / 2 for n in sizes] if astra else None,
        "detector_centre": _middle(n_detectors, spec.detector_centre, astra),
    }
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    if geometry == "parallel":
        return Radon.parallel(sizes, radians, **common)
    distances: dict[str, Any] = {"source_distance": far, "detector_distance": behind}
    if geometry == "cone":
        return Radon.cone(sizes, radians, **distances, **common)
    return Radon.fan(sizes, radians, **distances, is_curved=spec.curved, **common)


def _pixel(spec: CtSpec) -> float:
    return 1.0 if spec.pixel is None else spec.pixel


def _middle(counts: Sequence[int], given: float | None, astra: bool) -> float | list[float] | None:
    """Which detector sees the axis of rotation, and with rows which row the middle plane.

    Raises:
        ValueError: It is none of them.
    """
    if given is not None and not 0 <= given <= counts[0] - 1:
        raise ValueError(
            f"`--detector-centre {given:g}` must be one of the {counts[0]} detectors, counted from 0; fractions are taken."
        )
    if given is None and not astra:
        return None
    found = [(n - 1) / 2 if astra else n // 2 for n in counts]
    found[0] = found[0] if given is None else given
    return found if len(found) > 1 else found[0]


def _size(spec: CtSpec, shape: tuple[int, ...], detector: float, larger: float) -> tuple[int, ...]:
    """Pixels of the picture: those asked for, or the square around the circle that every view sees.

    Args:
        spec: What is asked.
        shape: Of the data.
        detector: Spacing of detectors, in pixels.
        larger: How much larger the detector sees what is in the middle.

    Raises:
        ValueError: A size is out of range, or there are too many.
    """
    axes = len(shape) - 1 + 1
    if spec.size is not None:
        sizes = spec.size * axes if len(spec.size) == 1 else spec.size
    else:
        half = shape[1] * detector / 2
        if spec.source_distance is not None and spec.detector_distance is not None:
            far = spec.source_distance / _pixel(spec)
            angle = half / (far * larger) if spec.curved else atan(half / (far * larger))
            half = far * sin(angle)
        side = floor(2 * half + 1e-6)
        sizes = (
            (side,) * 2 if axes == 2 else (floor(shape[2] * detector / larger + 1e-6), side, side)
        )
    low, high = _SIDES
    if len(sizes) != axes or not all(low <= n <= high for n in sizes[-2:]) or min(sizes) < 1:
        if spec.size is None:
            raise ValueError(
                f"The circle that every view of {' x '.join(map(str, shape[1:]))} detectors sees is "
                f"{' x '.join(map(str, sizes))} pixels, and a picture has from {low} to {high} a side. Check the order of the "
                "axes (`--transpose`), `--pixel` and `--detector-spacing`, or pass `--size`."
            )
        raise ValueError(
            f"`--size {' '.join(map(str, sizes))}` must be one number, or one for each of {axes} axes, from {low} to "
            f"{high}."
        )
    return sizes


def _notes(spec: CtSpec, data: np.ndarray, degrees: Sequence[float], A: Radon) -> list[str]:
    """What was taken for granted, in words."""
    geometry = spec.geometry or "parallel"
    beam = f"curved {geometry}" if spec.curved else geometry
    shape = " x ".join(map(str, A.field_shape))
    views = (
        f"{len(degrees)} views from {min(degrees):g} to {max(degrees):g} degrees"
        if len(degrees) > 1
        else f"One view at {degrees[0]:g} degrees"
    )
    notes = [
        f"{views}, {beam} beam, "
        f"{' x '.join(map(str, data.shape[1:]))} detectors {A.beam.detector_spacing[0]:g} mm apart; a picture of {shape} "
        f"pixels of {A.spacing[-1]:g} mm."
    ]
    if seem_radians(degrees):
        notes.append(
            f"All {len(degrees)} angles are within {max(map(abs, degrees)):g}: if they are radians, the picture is wrong. "
            "`--angles` takes degrees."
        )
    negative = float(np.clip(-data, 0, None).sum() / np.abs(data).sum())
    if negative > 0.2:
        notes.append(
            f"{100 * negative:.0f} % of the data's sum is below 0, and a picture that is not negative cannot explain it: pass "
            "`--bounds none` if it may be negative."
        )
    if _seem_intensities(data):
        notes.append(
            "The data are larger at the rim of the detector than in its middle, as intensities are behind an object. Line "
            "integrals are needed: -log(intensity / intensity without the object)."
        )
    return notes


def _seem_intensities(data: np.ndarray) -> bool:
    """Whether what passes beside the object is brighter than what passes through it."""
    n = data.shape[1]
    rim = np.concatenate([data[:, : max(1, n // 16)], data[:, -max(1, n // 16) :]], 1)
    return bool(data.min() >= 0 and rim.mean() > 1.5 * data[:, n // 3 : n - n // 3].mean())
