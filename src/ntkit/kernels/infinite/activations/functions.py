"""Elementwise functions and tensor methods, as the modules that do the same."""

import operator
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf, pi
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.meanings import AbstractMeaning, meanings
from ntkit.networks import activations as networks

__all__ = ["AsModule"]

Build = Callable[..., nn.Module]


@dataclass(frozen=True)
class AsModule(AbstractMeaning):
    """A function, or a tensor's method, that does what an elementwise module does.

    Attributes:
        build: Makes the module from what the call passes after the tensor: `nn.CELU(0.5)` of `(0.5)`, for
            `torch.celu(x, 0.5)`.
    """

    build: Build

    what: ClassVar[str] = "function as a module"


def _file(build: Build, *targets: Hashable) -> None:
    meanings.file(AsModule(build), *targets)


def _plain(kind: type[nn.Module]) -> Build:
    """For functions whose only option is to work in place."""
    return lambda inplace=False: kind()


def _relu(inplace: bool = False) -> nn.Module:
    return nn.ReLU()


def _leaky_relu(negative_slope: float = 0.01, inplace: bool = False) -> nn.Module:
    return nn.LeakyReLU(negative_slope)


def _elu(alpha: float = 1.0, inplace: bool = False) -> nn.Module:
    return nn.ELU(alpha)


def _celu(alpha: float = 1.0, inplace: bool = False) -> nn.Module:
    return nn.CELU(alpha)


def _gelu(*, approximate: str = "none") -> nn.Module:
    return nn.GELU(approximate)


def _softplus(beta: float = 1.0, threshold: float = 20.0) -> nn.Module:
    return nn.Softplus(beta, threshold)


def _hardtanh(min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> nn.Module:
    return nn.Hardtanh(min_val, max_val)


def _threshold(threshold: float, value: float, inplace: bool = False) -> nn.Module:
    return nn.Threshold(threshold, value)


def _clamp(min: float | None = None, max: float | None = None) -> nn.Module:
    for bound in (min, max):
        if bound is not None and not isinstance(bound, (int, float)):
            raise UnsupportedLayerError("`clamp` between tensors is no function of one unit.")
    if min == 0 and max is None:
        return nn.ReLU()
    low, high = -inf if min is None else float(min), inf if max is None else float(max)
    kinks = [t for t in (low, high) if abs(t) < inf]
    return networks.Elementwise(Clamp(low, high), kinks)


@dataclass(frozen=True)
class Clamp:
    """`x` between two numbers."""

    low: float
    high: float

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Cut off at both."""
        return x.clamp(self.low, self.high)


def _power(exponent: float) -> nn.Module:
    if not isinstance(exponent, (int, float)) or exponent != int(exponent) or exponent < 0:
        raise UnsupportedLayerError(
            f"`x ** {exponent}` needs a whole exponent of at least 0: other powers are not defined "
            "for negative units, or have no variance. Use `ntkit.networks.Elementwise` of one that "
            "is finite everywhere."
        )
    return networks.Polynomial([0.0] * int(exponent) + [1.0])


def _elementwise(function: Callable[[torch.Tensor], torch.Tensor], *kinks: float) -> Build:
    return lambda: networks.Elementwise(function, kinks)


_file(_relu, torch.relu, torch.relu_, functional.relu, functional.relu_, "relu", "relu_")
_file(_leaky_relu, functional.leaky_relu, functional.leaky_relu_)
_file(_elu, functional.elu, functional.elu_)
_file(_celu, torch.celu, torch.celu_, functional.celu, functional.celu_)
_file(_plain(nn.SELU), torch.selu, torch.selu_, functional.selu, functional.selu_)
_file(_gelu, functional.gelu)
_file(_plain(nn.SiLU), functional.silu)
_file(_plain(nn.Mish), functional.mish)
_file(_softplus, functional.softplus)
_file(_hardtanh, functional.hardtanh, functional.hardtanh_)
_file(_plain(nn.ReLU6), functional.relu6)
_file(_plain(nn.Hardswish), functional.hardswish)
_file(_plain(nn.Hardsigmoid), functional.hardsigmoid)
_file(nn.Softsign, functional.softsign)
_file(lambda lambd=0.5: nn.Softshrink(lambd), functional.softshrink)
_file(lambda lambd=0.5: nn.Hardshrink(lambd), functional.hardshrink, "hardshrink")
_file(nn.Tanhshrink, functional.tanhshrink)
_file(nn.LogSigmoid, functional.logsigmoid)
_file(_threshold, functional.threshold, torch.threshold)
_file(nn.Tanh, torch.tanh, torch.tanh_, functional.tanh, "tanh", "tanh_")
_file(
    nn.Sigmoid,
    *(torch.sigmoid, torch.sigmoid_, torch.special.expit, functional.sigmoid),
    *("sigmoid", "sigmoid_"),
)
_file(networks.Erf, torch.erf, torch.erf_, torch.special.erf, "erf", "erf_")
_file(networks.Sine, torch.sin, torch.sin_, "sin", "sin_")
_file(lambda: networks.Sine(phase=pi / 2), torch.cos, torch.cos_, "cos", "cos_")
_file(networks.Exponential, torch.exp, torch.exp_, "exp", "exp_")
_file(networks.Sign, torch.sign, torch.sgn, "sign", "sign_", "sgn")
_file(
    networks.Abs,
    *(torch.abs, torch.abs_, torch.absolute, operator.abs),
    *("abs", "abs_", "absolute", "__abs__"),
)
_file(
    lambda: networks.Polynomial([0.0, 0.0, 1.0]), torch.square, torch.square_, "square", "square_"
)
_file(_power, torch.pow, operator.pow, "pow", "pow_", "__pow__")
_file(_clamp, torch.clamp, torch.clip, "clamp", "clamp_", "clip", "clip_")
_file(_clamp, torch.clamp_min, "clamp_min", "clamp_min_")
_file(lambda max: _clamp(max=max), torch.clamp_max, "clamp_max", "clamp_max_")
_file(_elementwise(torch.atan), torch.atan, torch.arctan, "atan", "arctan")
_file(_elementwise(torch.asinh), torch.asinh, torch.arcsinh, "asinh", "arcsinh")
_file(_elementwise(torch.sinc), torch.sinc, torch.special.sinc, "sinc")
_file(_elementwise(torch.erfc), torch.erfc, torch.special.erfc, "erfc")
_file(_elementwise(torch.special.ndtr), torch.special.ndtr)
_file(_elementwise(torch.expm1), torch.expm1, "expm1")
