"""Measurements: from a field to data; linear ones with their adjoint, and rendered rays."""

from ntkit.measurements.base import AbstractMeasurement, Composed
from ntkit.measurements.blur import Blur
from ntkit.measurements.fourier import Fourier
from ntkit.measurements.interpolation import Interpolation
from ntkit.measurements.linear import linear
from ntkit.measurements.matrix import Matrix
from ntkit.measurements.nonuniform_fourier import NonuniformFourier
from ntkit.measurements.occupancy import OccupancyGrid
from ntkit.measurements.physics import Physics
from ntkit.measurements.physics_parts import physics_parts
from ntkit.measurements.probe import adjoint_mismatch
from ntkit.measurements.radon import Radon
from ntkit.measurements.rays import Camera, Rays, camera_rays, clip_to_unit_box
from ntkit.measurements.rows import Rows, rows_of
from ntkit.measurements.samples import Samples
from ntkit.measurements.stacked import Stacked, stack
from ntkit.measurements.subsample import Subsample
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
    "Blur",
    "Camera",
    "Composed",
    "Fourier",
    "Interpolation",
    "Matrix",
    "NonuniformFourier",
    "OccupancyGrid",
    "Physics",
    "Radon",
    "Rays",
    "Rows",
    "Samples",
    "Seen",
    "Stacked",
    "Strata",
    "Subsample",
    "adjoint_mismatch",
    "camera_rays",
    "clip_to_unit_box",
    "composite",
    "importance",
    "linear",
    "physics_parts",
    "rows_of",
    "stack",
    "stratified",
    "widened",
]
