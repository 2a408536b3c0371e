"""What a scan is made of, checked, and what is not said about it filled in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import asin, ceil, pi, tan
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import number, per_axis, positive, positive_int
from ntkit._core.outside import warn
from ntkit.measurements.beams import DivergentBeam, ParallelBeam

__all__ = ["Angles", "Axes", "Detector", "Scan"]

Angles = Float[Tensor, " views"] | Sequence[float]
Axes = float | Sequence[float] | None


@dataclass(frozen=True)
class Detector:
    """What is said about detectors; None: as the field needs.

    Attributes:
        n_detectors: How many, along each axis of the detector.
        spacing: Their distance.
        centre: Which one sees the axis of rotation.
        width: In spacings.
        n_rays: Lines over the width.
    """

    n_detectors: int | Sequence[int] | None
    spacing: Axes
    centre: Axes
    width: float
    n_rays: int


@dataclass(frozen=True, eq=False)
class Scan:
    """A field to be looked at from some angles.

    Attributes:
        shape: Of the field.
        angles: In radians, float64.
        spacing: Size of a pixel along each axis.
        centre: Pixel of the centre of rotation.
    """

    shape: tuple[int, ...]
    angles: Tensor
    spacing: tuple[float, ...]
    centre: tuple[float, ...]

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        angles: Angles,
        spacing: Axes,
        centre: Axes,
        ndim: tuple[int, ...] = (2, 3),
    ) -> "Scan":
        """As the user says it.

        Raises:
            ValueError: A number is out of its range, or there are too few or too many.
        """
        sizes = tuple(positive_int("shape", n) for n in shape)
        if len(sizes) not in ndim:
            axes = " or ".join(map(str, ndim))
            raise ValueError(f"`shape={sizes}` must have {axes} axes for this beam.")
        pixel = 1 / max(sizes) if spacing is None else spacing
        middle = [n // 2 for n in sizes] if centre is None else centre
        return cls(
            sizes,
            _checked_angles(angles),
            tuple(positive("spacing", s) for s in _numbers("spacing", pixel, len(sizes))),
            _numbers("centre", middle, len(sizes)),
        )

    @property
    def radius(self) -> float:
        """Distance of the farthest pixel from the axis of rotation."""
        corners = product(*([self._at(k, 0), self._at(k, self.shape[k] - 1)] for k in (-2, -1)))
        return max((y * y + x * x) ** 0.5 for y, x in corners)

    @property
    def height(self) -> float:
        """Distance of the farthest pixel from the middle plane; 0 in 2-D."""
        if len(self.shape) == 2:
            return 0.0
        return max(abs(self._at(0, 0)), abs(self._at(0, self.shape[0] - 1)))

    def parallel(self, detector: Detector) -> ParallelBeam:
        """Parallel rays."""
        pixel = self._detector_spacing(1.0)
        return ParallelBeam(**self._detectors(detector, pixel, (self.radius, self.height)))

    def divergent(
        self, source_distance: float, detector_distance: float, is_curved: bool, detector: Detector
    ) -> DivergentBeam:
        """Rays from a point.

        Raises:
            ValueError: It lies within the circle that the field turns in, or a distance is none.
        """
        source = positive("source_distance", source_distance)
        behind = number("detector_distance", detector_distance)
        if not 0 <= behind < float("inf"):
            raise ValueError(f"`detector_distance={detector_distance!r}` must be 0 or more.")
        radius, length = self.radius, source + behind
        if source <= radius:
            raise ValueError(
                f"`source_distance={source:g}` is inside of the field, whose farthest pixel is {radius:g} from the "
                "axis of rotation. Both are in the unit of `spacing`."
            )
        angle = asin(radius / source)
        half = (
            length * (angle if is_curved else tan(angle)),
            length * self.height / (source - radius),
        )
        pixel = self._detector_spacing(length / source)
        return DivergentBeam(
            **self._detectors(detector, pixel, half),
            source_distance=source,
            detector_distance=behind,
            is_curved=is_curved,
        )

    def _detectors(
        self, detector: Detector, pixel: tuple[float, ...], half: tuple[float, ...]
    ) -> dict[str, Any]:
        """What all beams have, with as many detectors as see the field if it is not said how many.

        Raises:
            ValueError: A number of detectors is missing, or one too many.
        """
        axes = len(self.shape) - 1
        given = pixel if detector.spacing is None else detector.spacing
        spacing = [
            positive("detector_spacing", s) for s in _numbers("detector_spacing", given, axes)
        ]
        needed = [2 * ceil(h / s) + 1 for h, s in zip(half, spacing, strict=False)]
        counts = needed if detector.n_detectors is None else per_axis(detector.n_detectors, axes)
        n_detectors = tuple(positive_int("n_detectors", n) for n in counts)
        if len(n_detectors) != axes:
            raise ValueError(
                f"`n_detectors={detector.n_detectors!r}` needs {axes} whole numbers, one an axis of the detector."
            )
        middle = [n // 2 for n in n_detectors] if detector.centre is None else detector.centre
        return {
            "angles": self.angles,
            "n_detectors": n_detectors,
            "detector_spacing": tuple(spacing),
            "detector_centre": _numbers("detector_centre", middle, axes),
            "detector_width": positive("detector_width", detector.width),
            "n_rays": positive_int("n_rays", detector.n_rays),
        }

    def _detector_spacing(self, magnification: float) -> tuple[float, ...]:
        """Of a detector whose pixels are as fine as the field's."""
        along_z = self.spacing[:-2]
        return tuple(magnification * s for s in (min(self.spacing[-2:]), *along_z))

    def _at(self, axis: int, pixel: int) -> float:
        """Where a pixel is from the centre of rotation."""
        return (pixel - self.centre[axis]) * self.spacing[axis]


def _checked_angles(angles: Angles) -> Float[Tensor, " views"]:
    """In float64; with a warning where they can only be degrees.

    Raises:
        ValueError: There is none, or one is not finite.
    """
    found = torch.as_tensor(angles).double().detach().clone()
    if found.ndim != 1 or not len(found) or not bool(found.isfinite().all()):
        raise ValueError(
            f"`angles` has shape {tuple(found.shape)}; one or more finite numbers in radians are needed, on one axis."
        )
    largest = float(found.abs().max())
    if largest > 8 * pi:
        warn(
            f"`angles` go up to {largest:g} radians, {largest / 2 / pi:.1f} turns. If they are degrees: "
            "`torch.deg2rad(angles)`."
        )
    return found


def _numbers(name: str, value: object, count: int) -> tuple[float, ...]:
    """One number for each of some axes.

    Raises:
        ValueError: There are more, or fewer.
    """
    found = tuple(number(name, v) for v in per_axis(value, count))
    if len(found) != count:
        raise ValueError(f"`{name}={value!r}` needs one number, or {count} of them, one an axis.")
    return found
