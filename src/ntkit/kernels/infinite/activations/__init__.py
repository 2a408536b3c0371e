"""Activations as the infinite-width limit sees them: dual functions, closed or by quadrature."""

from ntkit.kernels.infinite.activations.base import AbstractActivation, Dual
from ntkit.kernels.infinite.activations.erf import ErfActivation
from ntkit.kernels.infinite.activations.exponential import (
    ExponentialActivation,
    NormalisedExponentialActivation,
)
from ntkit.kernels.infinite.activations.functions import AsModule
from ntkit.kernels.infinite.activations.gabor import GaborActivation
from ntkit.kernels.infinite.activations.gaussian import GaussianActivation
from ntkit.kernels.infinite.activations.gelu import GELU
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
from ntkit.kernels.infinite.activations.polynomial import PolynomialActivation, hermite
from ntkit.kernels.infinite.activations.rectified_monomial import RectifiedMonomialActivation
from ntkit.kernels.infinite.activations.registry import HasDual, duals, register_activation
from ntkit.kernels.infinite.activations.sign import SignActivation
from ntkit.kernels.infinite.activations.sinusoid import Sinusoid

__all__ = [
    "GELU",
    "AbstractActivation",
    "AsModule",
    "Dual",
    "ErfActivation",
    "ExponentialActivation",
    "GaborActivation",
    "GaussianActivation",
    "HasDual",
    "NormalisedExponentialActivation",
    "PiecewiseLinear",
    "PolynomialActivation",
    "Quadrature",
    "RectifiedMonomialActivation",
    "SignActivation",
    "Sinusoid",
    "duals",
    "hermite",
    "register_activation",
]
