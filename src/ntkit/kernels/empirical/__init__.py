"""Tangent kernels of networks at their own weights and width."""

from ntkit.kernels.empirical.auto import Auto
from ntkit.kernels.empirical.contraction import Contraction
from ntkit.kernels.empirical.feature_store import FeatureStore
from ntkit.kernels.empirical.kernel import EmpiricalKernel, empirical_ntk
from ntkit.kernels.empirical.sketch import Sketch
from ntkit.kernels.empirical.structured import Structured

__all__ = [
    "Auto",
    "Contraction",
    "EmpiricalKernel",
    "FeatureStore",
    "Sketch",
    "Structured",
    "empirical_ntk",
]
