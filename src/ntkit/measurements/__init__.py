"""Measurements: linear maps from a field to data, each with its adjoint."""

from ntkit.measurements.base import AbstractMeasurement
from ntkit.measurements.samples import Samples

__all__ = ["AbstractMeasurement", "Samples"]
