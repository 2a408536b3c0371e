"""Measurements of a picture, for trying out: made on a grid twice as fine as the one they are reconstructed on."""

from ntkit.experiments.simulation.ct import simulate_ct
from ntkit.experiments.simulation.mri import simulate_mri

__all__ = ["simulate_ct", "simulate_mri"]
