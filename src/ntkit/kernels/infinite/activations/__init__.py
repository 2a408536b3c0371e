"""Activations as the infinite-width limit sees them: dual functions, closed or by quadrature."""

from ntkit.kernels.infinite.activations.base import AbstractActivation, Dual
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear

__all__ = ["AbstractActivation", "Dual", "PiecewiseLinear"]
from ntkit.kernels.infinite.activations.registry import duals, functions
