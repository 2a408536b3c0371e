"""Activations as the infinite-width limit sees them: dual functions, closed or by quadrature."""

from ntkit.kernels.infinite.activations.base import AbstractActivation, Dual
from ntkit.kernels.infinite.activations.erf import Erf
from ntkit.kernels.infinite.activations.exponential import Exponential, NormalisedExponential
from ntkit.kernels.infinite.activations.functions import functions
from ntkit.kernels.infinite.activations.gabor import Gabor
from ntkit.kernels.infinite.activations.gaussian import Gaussian
from ntkit.kernels.infinite.activations.gelu import GELU
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
from ntkit.kernels.infinite.activations.polynomial import Polynomial, hermite
from ntkit.kernels.infinite.activations.rectified_monomial import RectifiedMonomial
from ntkit.kernels.infinite.activations.registry import duals, register_activation
from ntkit.kernels.infinite.activations.sign import Sign
from ntkit.kernels.infinite.activations.sinusoid import Sinusoid

__all__ = [
    "GELU",
    "AbstractActivation",
    "Dual",
    "Erf",
    "Exponential",
    "Gabor",
    "Gaussian",
    "NormalisedExponential",
    "PiecewiseLinear",
    "Polynomial",
    "Quadrature",
    "RectifiedMonomial",
    "Sign",
    "Sinusoid",
    "duals",
    "functions",
    "hermite",
    "register_activation",
]
