"""One table of all dual activations with formulas: the module, and the textbook's moments."""

from dataclasses import dataclass
from math import pi

from mpmath import mp
from torch import nn

from ntkit.kernels.infinite.activations import AbstractActivation, duals
from ntkit.networks import activations as networks
from tests.kernels.infinite.activations import formulas
from tests.kernels.infinite.activations.formulas import Formula

__all__ = ["CLOSED", "NUMERICAL", "Row", "dual_of"]


@dataclass(frozen=True)
class Row:
    """A module, its moments, and the longest inputs at which they are finite."""

    module: nn.Module
    formula: Formula
    longest: float = float("inf")

    @property
    def dual(self) -> AbstractActivation:
        return dual_of(self.module)


def dual_of(module: nn.Module) -> AbstractActivation:
    return duals[module](module)


def _hermite(degree: int) -> Formula:
    tables = {3: [0, -3, 0, 1], 4: [3, 0, -6, 0, 1]}
    with mp.workdps(formulas.DIGITS):
        root = mp.sqrt(mp.factorial(degree))
        return formulas.polynomial([c / root for c in tables[degree]])


CLOSED: dict[str, Row] = {
    "relu": Row(nn.ReLU(), formulas.piecewise_linear(0, 1)),
    "leaky_relu": Row(nn.LeakyReLU(0.125), formulas.piecewise_linear(0.125, 1)),
    "prelu": Row(nn.PReLU(init=-0.25), formulas.piecewise_linear(-0.25, 1)),
    "rrelu": Row(nn.RReLU(0.25, 0.5).eval(), formulas.piecewise_linear(0.375, 1)),
    "abs": Row(networks.Abs(), formulas.piecewise_linear(-1, 1)),
    "linear": Row(networks.Polynomial([0, 2]), formulas.piecewise_linear(2, 2)),
    "erf": Row(networks.Erf(), formulas.erf(1, 1, 0)),
    "erf_shifted": Row(networks.Erf(0.5, 0.4163, 0.5), formulas.erf(0.5, 0.4163, 0.5)),
    "gelu": Row(nn.GELU(), formulas.gelu),
    "sin": Row(networks.Sine(), formulas.sine(1, 0, 1)),
    "sin30": Row(networks.Sine(30.0), formulas.sine(30, 0, 1)),
    "cos": Row(networks.Sine(phase=pi / 2), formulas.cosine(1)),
    "sin_phase": Row(networks.Sine(2.0, 0.7, 1.5), formulas.sine(2, 0.7, 1.5)),
    "sin_cos": Row(networks.Sine(2.0, -2.0), formulas.sine(2, -2, 1)),
    "gaussian": Row(networks.Gaussian(), formulas.gaussian(1, 1)),
    "gaussian_wide": Row(networks.Gaussian(2.0, 0.03), formulas.gaussian(2, 0.03)),
    "gabor": Row(networks.Gabor(), formulas.gabor(1, 1)),
    "gabor_long": Row(networks.Gabor(5.0, 0.2), formulas.gabor(5, 0.2)),
    "exp": Row(networks.Exponential(2.0, -0.5), formulas.exponential(2, -0.5), longest=4),
    "normalised_exp": Row(
        networks.NormalisedExponential(2.0, 0.3), formulas.normalised_exponential(2, 0.3)
    ),
    "sign": Row(networks.Sign(), formulas.sign),
    "square": Row(networks.Polynomial([0, 0, 3]), formulas.polynomial([0, 0, 3])),
    "cubic": Row(networks.Polynomial([1, -0.5, 0, 0.2]), formulas.polynomial([1, -0.5, 0, 0.2])),
    "hermite3": Row(networks.Hermite(3), _hermite(3)),
    "hermite4": Row(networks.Hermite(4), _hermite(4)),
    "step": Row(networks.RectifiedMonomial(0), formulas.monomial(0)),
    "monomial1": Row(networks.RectifiedMonomial(1), formulas.monomial(1)),
    "monomial2": Row(networks.RectifiedMonomial(2), formulas.monomial(2)),
    "monomial3": Row(networks.RectifiedMonomial(3), formulas.monomial(3)),
}

NUMERICAL: dict[str, tuple[nn.Module, tuple[float, ...]]] = {
    "tanh": (nn.Tanh(), ()),
    "sigmoid": (nn.Sigmoid(), ()),
    "logsigmoid": (nn.LogSigmoid(), ()),
    "silu": (nn.SiLU(), ()),
    "mish": (nn.Mish(), ()),
    "softplus": (nn.Softplus(2.0, 10.0), (5.0,)),
    "elu": (nn.ELU(0.5), (0,)),
    "celu": (nn.CELU(2.0), (0,)),
    "selu": (nn.SELU(), (0,)),
    "gelu_tanh": (nn.GELU("tanh"), ()),
    "hardtanh": (nn.Hardtanh(-0.5, 1.5), (-0.5, 1.5)),
    "relu6": (nn.ReLU6(), (0, 6)),
    "hardswish": (nn.Hardswish(), (-3, 3)),
    "hardsigmoid": (nn.Hardsigmoid(), (-3, 3)),
    "softsign": (nn.Softsign(), (0,)),
    "tanhshrink": (nn.Tanhshrink(), ()),
    "softshrink": (nn.Softshrink(0.3), (-0.3, 0.3)),
    "hardshrink": (nn.Hardshrink(0.3), (-0.3, 0.3)),
    "threshold": (nn.Threshold(0.2, -1.0), (0.2,)),
    "elementwise": (networks.Elementwise(lambda x: x * x.sin()), ()),
}
"""Modules without formulas, and where they bend."""
