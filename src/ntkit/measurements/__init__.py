"""Measurements: from a field to data; linear ones with their adjoint, and rendered rays."""

from ntkit.measurements.base import AbstractMeasurement, Composed
from ntkit.measurements.occupancy import OccupancyGrid
from ntkit.measurements.radon import Radon
from ntkit.measurements.rays import Camera, Rays, camera_rays, clip_to_unit_box
from ntkit.measurements.samples import Samples
from ntkit.measurements.stacked import Stacked, stack
from ntkit.measurements.volume_rendering import (
    Seen,
    Strata,
    composite,
    importance,
    stratified,
    widened,
)

__all__ = [
    "AbstractMeasurement",
    "Camera",
    "Composed",
    "OccupancyGrid",
    "Radon",
    "Rays",
    "Samples",
    "Seen",
    "Stacked",
    "Strata",
    "camera_rays",
    "clip_to_unit_box",
    "composite",
    "importance",
    "stack",
    "stratified",
    "widened",
]
