"""Tangent kernels of networks at their own weights and width."""

from ntkit.kernels.empirical.contraction import Contraction
from ntkit.kernels.empirical.kernel import EmpiricalKernel, empirical_ntk

__all__ = ["Contraction", "EmpiricalKernel", "empirical_ntk"]
