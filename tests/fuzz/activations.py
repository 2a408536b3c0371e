"""The elementwise functions that networks are drawn with: modules and how people write them."""

from collections.abc import Callable
from random import Random

import torch
from torch import nn
from torch.nn import functional

from ntkit import networks
from tests.fuzz.joins import Does

__all__ = ["ACTIVATIONS", "OWN_NAMES"]

Make = Callable[[Random], nn.Module]


def _frozen_prelu(r: Random) -> nn.Module:
    return nn.PReLU(init=r.choice((0.1, 0.3))).requires_grad_(False)


def _words(function: Callable, words: str) -> Make:
    return lambda r: Does(function, words)


ACTIVATIONS: dict[str, Make] = {
    "ReLU": lambda r: nn.ReLU(),
    "ReLU in place": lambda r: nn.ReLU(inplace=True),
    "LeakyReLU": lambda r: nn.LeakyReLU(r.choice((0.01, 0.2))),
    "PReLU frozen": _frozen_prelu,
    "RReLU": lambda r: nn.RReLU(),
    "ELU": lambda r: nn.ELU(r.choice((0.5, 1.0))),
    "CELU": lambda r: nn.CELU(r.choice((0.5, 2.0))),
    "SELU": lambda r: nn.SELU(),
    "GELU": lambda r: nn.GELU(),
    "GELU tanh": lambda r: nn.GELU(approximate="tanh"),
    "SiLU": lambda r: nn.SiLU(),
    "Mish": lambda r: nn.Mish(),
    "Softplus": lambda r: nn.Softplus(r.choice((1, 2))),
    "Softsign": lambda r: nn.Softsign(),
    "Tanh": lambda r: nn.Tanh(),
    "Tanhshrink": lambda r: nn.Tanhshrink(),
    "Sigmoid": lambda r: nn.Sigmoid(),
    "LogSigmoid": lambda r: nn.LogSigmoid(),
    "Hardtanh": lambda r: nn.Hardtanh(),
    "ReLU6": lambda r: nn.ReLU6(),
    "Hardswish": lambda r: nn.Hardswish(),
    "Hardsigmoid": lambda r: nn.Hardsigmoid(),
    "Softshrink": lambda r: nn.Softshrink(0.3),
    "Hardshrink": lambda r: nn.Hardshrink(0.3),
    "Threshold": lambda r: nn.Threshold(0.2, -0.1),
    "Sine": lambda r: networks.Sine(r.choice((1.0, 2.0))),
    "Sine shifted": lambda r: networks.Sine(1.5, 0.4, 0.8),
    "Erf": lambda r: networks.Erf(0.8, 1.2, 0.3),
    "Abs": lambda r: networks.Abs(),
    "Sign": lambda r: networks.Sign(),
    "Gaussian": lambda r: networks.Gaussian(1.2, 0.6),
    "Gabor": lambda r: networks.Gabor(1.5, 0.5),
    "Exponential": lambda r: networks.Exponential(0.8, 0.4),
    "NormalisedExponential": lambda r: networks.NormalisedExponential(0.4, -0.4),
    "Polynomial": lambda r: networks.Polynomial([0.2, 1.0, 0.15]),
    "Hermite": lambda r: networks.Hermite(2),
    "RectifiedMonomial": lambda r: networks.RectifiedMonomial(r.choice((0, 1))),
    "Elementwise": lambda r: networks.Elementwise(torch.atan),
    "torch.relu": _words(torch.relu, "relu(x)"),
    "F.gelu": _words(functional.gelu, "gelu(x)"),
    "x.tanh()": _words(lambda x: x.tanh(), "x.tanh()"),
    "torch.sin": _words(lambda x: torch.sin(2 * x), "sin(2 x)"),
    "clamp": _words(lambda x: x.clamp(min=0), "x.clamp(min=0)"),
    "swish by hand": _words(lambda x: x * torch.sigmoid(1.5 * x), "x sigmoid(1.5 x)"),
    "one minus sigmoid": _words(lambda x: 1 - torch.sigmoid(x), "1 - sigmoid(x)"),
    "bump by hand": _words(lambda x: torch.exp(-(x**2)), "exp(-x^2)"),
    "half a square": _words(lambda x: x + 0.1 * x**2, "x + 0.1 x^2"),
}
"""By name."""

OWN_NAMES = ("NormalisedExponential",)
"""Those that look at more than one unit, along the last axis."""
