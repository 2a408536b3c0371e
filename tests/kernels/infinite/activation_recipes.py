"""The reference values of activations: `depth x [Dense(1.1, 0.2), ACTIVATION], Dense(1.1, 0.2)`."""

from collections.abc import Callable
from math import pi, sqrt

from torch import nn

from ntkit.networks import activations as own
from tests.kernels.infinite.reference_networks import WIDTH, Recipe, dense

__all__ = ["ACTIVATIONS", "HERMITE", "KINKED", "NUMERICAL"]


def rbf(gamma: float) -> own.Sine:
    """`sqrt(2) sin(sqrt(2 gamma) x + pi / 4)`: the kernel `exp(-gamma |x - x'|^2)`."""
    return own.Sine(sqrt(2 * gamma), pi / 4, sqrt(2))


def monomial(degree: int) -> own.Polynomial:
    """`x^degree`."""
    return own.Polynomial([0.0] * degree + [1.0])


class TwoSlopes(nn.Module):
    """`a min(x, 0) + b max(x, 0)`, written with what torch has."""

    def __init__(self, below: float, above: float) -> None:
        super().__init__()
        self.below, self.above = below, above

    def forward(self, x):
        return nn.functional.leaky_relu(x, self.below / self.above) * self.above


_MADE: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu_0.1": lambda: nn.LeakyReLU(0.1),
    "abs": own.Abs,
    "abrelu_-0.5_2": lambda: TwoSlopes(-0.5, 2.0),
    "erf": own.Erf,
    "erf_2_0.7_0.5": lambda: own.Erf(2.0, 0.7, 0.5),
    "sigmoid_like": lambda: own.Erf(0.5, 1 / 2.4020563531719796, 0.5),
    "gelu": nn.GELU,
    "sin": own.Sine,
    "cos": lambda: own.Sine(1.0, pi / 2),
    "cos_1.5_0.7_0.4": lambda: own.Sine(0.7, 0.4 + pi / 2, 1.5),
    "rbf_0.6": lambda: rbf(0.6),
    "gabor": own.Gabor,
    "gaussian": own.Gaussian,
    "gaussian_2_-0.5": lambda: own.Gaussian(2.0, 0.5),
    "exp_1_0.3": lambda: own.Exponential(1.0, 0.3),
    "exp_normalized": own.NormalisedExponential,
    **{f"monomial_{k}": lambda k=k: monomial(k) for k in range(6)},
    **{f"rectified_monomial_{k}": lambda k=k: own.RectifiedMonomial(k) for k in range(4)},
    "polynomial": lambda: own.Polynomial([0.3, 1.0, 0.5, -0.2]),
    "numerical_sigmoid_64": nn.Sigmoid,
    "numerical_softplus_64": nn.Softplus,
    "numerical_erf_64": own.Erf,
    "numerical_elu_128": nn.ELU,
    "numerical_relu_128": nn.ReLU,
}


def _stacked(make: Callable[[], nn.Module], depth: int) -> nn.Sequential:
    layers = [
        layer for k in range(depth) for layer in (dense(WIDTH if k else 5, w=1.1, b=0.2), make())
    ]
    return nn.Sequential(*layers, dense(WIDTH, 1, w=1.1, b=0.2))


_UNKNOWN = {
    *(f"{name}_d2" for name in ("abrelu_-0.5_2", "erf", "cos", "rbf_0.6", "exp_normalized")),
    *("cos_1.5_0.7_0.4_d1", "monomial_2_d2", "monomial_5_d1", "rectified_monomial_0_d1"),
    *(f"rectified_monomial_{k}_d2" for k in range(4)),
    *("numerical_sigmoid_64_d2", "numerical_elu_128_d2", "numerical_relu_128_d1"),
}
"""Combinations without a reference; the peer has NaN for some."""

ACTIVATIONS: dict[str, Recipe] = {
    f"act_{name}_d{depth}": Recipe("vec", lambda make=make, d=depth: _stacked(make, d))
    for name, make in _MADE.items()
    for depth in (1, 2)
    if f"{name}_d{depth}" not in _UNKNOWN
}
KINKED = frozenset(name for name in ACTIVATIONS if "_elu_128" in name or "_relu_128" in name)
NUMERICAL = frozenset(name for name in ACTIVATIONS if "numerical" in name) - KINKED
"""Where the peer integrates numerically: across a kink, and smooth functions."""
HERMITE: dict[str, Recipe] = {
    f"act_hermite_{k}": Recipe(
        "sphere",
        lambda k=k: nn.Sequential(
            dense(5, w=1.0, b=None), own.Hermite(k), dense(WIDTH, 1, w=1.0, b=None)
        ),
    )
    for k in range(4)
}
