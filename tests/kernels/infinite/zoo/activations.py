"""Every activation, in two dense layers and under the pooling of a convolution."""

from math import pi, sqrt
from typing import Any

import torch
from torch import nn

from ntkit.networks import activations as own
from tests.kernels.infinite.zoo.base import Apply, Example, chain, conv, dense, flat, gap
from tests.kernels.infinite.zoo.vectors import shallow

__all__ = ["NUMERICAL", "ON_SEQUENCES", "ON_VECTORS"]


def bent(below: float, above: float) -> Any:
    """`below min(x, 0) + above max(x, 0)`, from what torch has."""
    if above == 0:
        raise ValueError(above)
    return lambda: Apply(lambda x: nn.functional.leaky_relu(x, below / above) * above)


_MADE: dict[str, Any] = {
    "leaky_0.3": lambda: nn.LeakyReLU(0.3),
    "abrelu_2_-0.5": bent(2.0, -0.5),
    "abrelu_-1_0.5": bent(-1.0, 0.5),
    "abs": lambda: Apply(torch.abs),
    "relu_stabilised": nn.ReLU,
    "sign": own.Sign,
    "sin_2_1.5_0.3": lambda: own.Sine(1.5, 0.3, 2.0),
    "cos_0.5_2_-1": lambda: own.Sine(2.0, pi / 2 - 1.0, 0.5),
    "rbf_1.7": lambda: own.Sine(sqrt(3.4), pi / 4, sqrt(2)),
    "erf_3_0.2_-1": lambda: own.Erf(3.0, 0.2, -1.0),
    "sigmoid_like": lambda: own.Erf(0.5, 1 / 2.4020563531719796, 0.5),
    "gelu": nn.GELU,
    "gabor": own.Gabor,
    "gaussian_0.5_-2": lambda: own.Gaussian(0.5, 2.0),
    "exp_0.7_-0.4": lambda: own.Exponential(0.7, -0.4),
    "expnorm_0.5_0.2": lambda: own.NormalisedExponential(0.5, 0.1),
    "monomial_2": lambda: Apply(torch.square),
    "monomial_3": lambda: Apply(lambda x: x**3),
    "polynomial": lambda: own.Polynomial([0.1, -0.4, 0.3, 0.05]),
    "numerical_tanh": nn.Tanh,
    "numerical_softplus": nn.Softplus,
    "numerical_silu": nn.SiLU,
    "numerical_square": lambda: own.Elementwise(lambda x: x**2),
}
NUMERICAL = frozenset(
    f"{place}_numerical_{name}"
    for place in ("dense", "conv")
    for name in ("tanh", "softplus", "silu", "square")
)
"""Where the peer integrates."""

ON_VECTORS: dict[str, Example] = {
    **{
        f"dense_{name}": Example(("vec",), lambda make=make: shallow(make, 2))
        for name, make in _MADE.items()
    },
    **{
        f"hermite_{k}": Example(
            ("sphere",),
            lambda k=k: chain(dense(5, w=1.0, b=None), own.Hermite(k), dense(8, 1, 1.0, None)),
        )
        for k in range(1, 6)
    },
    **{
        f"rectified_{k}": Example(("vec",), lambda k=k: shallow(lambda: own.RectifiedMonomial(k)))
        for k in range(5)
    },
    "elementwise_own_dual": Example(("vec",), lambda: shallow(own.Sine)),
}
ON_SEQUENCES: dict[str, Example] = {
    **{
        f"conv_{name}": Example(
            ("seq",), lambda make=make: chain(conv(3, (3,)), make(), gap()), channels_first=True
        )
        for name, make in _MADE.items()
        if name not in {"sign", "abrelu_-1_0.5"}
    },
    "mixed_activations": Example(
        ("seq",),
        lambda: chain(
            conv(3, (2,)),
            Apply(torch.erf),
            conv(8, (2,)),
            nn.ReLU(),
            conv(8, (2,)),
            Apply(torch.sin),
            flat(4),
        ),
        channels_first=True,
    ),
}
