"""Kernels that are formulas, one a file."""

from ntkit.kernels.closed.arc_cosine import ArcCosine
from ntkit.kernels.closed.feature_map import FeatureMap
from ntkit.kernels.closed.laplace import Laplace
from ntkit.kernels.closed.linear import Linear
from ntkit.kernels.closed.matern import Matern
from ntkit.kernels.closed.polynomial import Polynomial
from ntkit.kernels.closed.radial import AbstractRadial
from ntkit.kernels.closed.rbf import RBF
from ntkit.kernels.closed.stationary import Stationary

__all__ = [
    "RBF",
    "AbstractRadial",
    "ArcCosine",
    "FeatureMap",
    "Laplace",
    "Linear",
    "Matern",
    "Polynomial",
    "Stationary",
]
