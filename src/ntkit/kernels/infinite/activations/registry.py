"""Which dual goes with which module, and which module with which function of torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.erf import ErfActivation
from ntkit.kernels.infinite.activations.exponential import (
    ExponentialActivation,
    NormalisedExponentialActivation,
)
from ntkit.kernels.infinite.activations.gabor import GaborActivation
from ntkit.kernels.infinite.activations.gaussian import GaussianActivation
from ntkit.kernels.infinite.activations.gelu import GELU
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
from ntkit.kernels.infinite.activations.polynomial import PolynomialActivation, hermite
from ntkit.kernels.infinite.activations.rectified_monomial import RectifiedMonomialActivation
from ntkit.kernels.infinite.activations.sign import SignActivation
from ntkit.kernels.infinite.activations.sinusoid import Sinusoid
from ntkit.kernels.infinite.meanings import AbstractMeaning, OfKind, meanings
from ntkit.networks import activations as networks

__all__ = ["HasDual", "duals", "register_activation"]

Build = Callable[[Any], AbstractActivation]


@dataclass(frozen=True)
class HasDual(AbstractMeaning):
    """A module that acts on each unit by itself.

    Attributes:
        build: `build(layer)`, its dual activation.
    """

    build: Build

    what: ClassVar[str] = "dual activation"


duals: ExactTypeRegistry[Build] = ExactTypeRegistry(
    HasDual.what, UnsupportedLayerError, OfKind(meanings, HasDual, "build")
)
"""From the exact type of a module to a function that makes its dual: `layer -> AbstractActivation`.

A class of your own with formulas: `duals.register(Mine)(lambda layer: MyDual(layer.width))`. Without
formulas, one line: `register_activation(Mine, kinks=(0,))`.


Example:
    >>> from torch import nn
    >>> nn.ReLU in duals
    True
"""


def register_activation(
    *types: type[nn.Module],
    kinks: Sequence[float] | Callable[[Any], Sequence[float]] = (),
    is_odd: bool = False,
) -> None:
    """File elementwise modules, to be integrated numerically (see `Quadrature`).

    Args:
        types: Exact types; the module itself is called, on float64 tensors, as it is then.
        kinks: Where the function or its derivative is not smooth, or a function of the layer for them.
        is_odd: Whether `layer(-x) = -layer(x)`.

    Example:
        >>> import torch
        >>> class Cubed(nn.Module):
        ...     def forward(self, x):
        ...         return x.tanh() ** 3
        >>> register_activation(Cubed, is_odd=True)
        >>> from ntkit.kernels import nngp
        >>> net = nn.Sequential(nn.Linear(2, 8), Cubed(), nn.Linear(8, 1))
        >>> nngp(net)(torch.eye(2)).shape
        torch.Size([2, 2])
    """

    def build(layer: nn.Module) -> AbstractActivation:
        found = kinks(layer) if callable(kinks) else kinks
        return Quadrature(layer, tuple(found), is_odd=is_odd)

    duals.register(*types)(build)


def _piecewise_linear() -> None:
    duals.register(nn.ReLU)(lambda layer: PiecewiseLinear(0.0, 1.0))
    duals.register(nn.LeakyReLU)(lambda layer: PiecewiseLinear(layer.negative_slope, 1.0))
    duals.register(networks.Abs)(lambda layer: PiecewiseLinear(-1.0, 1.0))


@duals.register(nn.PReLU)
def _prelu(layer: nn.PReLU) -> AbstractActivation:
    """One slope for all units, which counts as a constant.

    Its own part of the tangent kernel is the square of a sum over the units. With `nn.Linear`
    (standard parametrisation) that is one part in the width of the kernel and vanishes; with
    `ntkit.networks.Linear` (NTK parametrisation) it is of the kernel's own size, and random: there
    a slope that is trained is refused (`evidence.random_parts`).

    Raises:
        UnsupportedLayerError: The slope differs from channel to channel.
    """
    if layer.num_parameters != 1:
        raise UnsupportedLayerError(
            f"`{layer}` has a slope for each channel, which is a weight of its own. "
            "Use `nn.PReLU()` with one slope, or `nn.LeakyReLU`."
        )
    return PiecewiseLinear(float(layer.weight.detach().double()), 1.0)


@duals.register(nn.RReLU)
def _rrelu(layer: nn.RReLU) -> AbstractActivation:
    if layer.training:
        raise UnsupportedLayerError(
            f"`{layer}` in training mode draws a slope for every entry. "
            "Call `module.eval()`, which takes the mean slope, or use `nn.LeakyReLU`."
        )
    return PiecewiseLinear((layer.lower + layer.upper) / 2, 1.0)


def _closed_forms() -> None:
    duals.register(networks.Erf)(lambda layer: ErfActivation(layer.scale, layer.rate, layer.shift))
    duals.register(networks.Sine)(
        lambda layer: Sinusoid(layer.frequency, layer.phase, layer.amplitude)
    )
    duals.register(networks.Sign)(lambda layer: SignActivation())
    duals.register(networks.Gaussian)(lambda layer: GaussianActivation(layer.scale, layer.decay))
    duals.register(networks.Gabor)(lambda layer: GaborActivation(layer.frequency, layer.decay))
    duals.register(networks.Exponential)(
        lambda layer: ExponentialActivation(layer.scale, layer.rate)
    )
    duals.register(networks.NormalisedExponential)(
        lambda layer: NormalisedExponentialActivation(layer.gamma, layer.shift)
    )
    duals.register(networks.Polynomial)(lambda layer: PolynomialActivation(layer.coefficients))
    duals.register(networks.Hermite)(lambda layer: hermite(layer.degree))
    duals.register(networks.RectifiedMonomial)(
        lambda layer: RectifiedMonomialActivation(layer.degree)
    )
    duals.register(networks.Elementwise)(lambda layer: Quadrature(layer.function, layer.kinks))


@duals.register(nn.GELU)
def _gelu(layer: nn.GELU) -> AbstractActivation:
    return (
        GELU() if layer.approximate == "none" else _shared(nn.GELU, (), (("approximate", "tanh"),))
    )


@cache
def _shared(
    kind: type[nn.Module],
    kinks: tuple[float, ...],
    options: tuple[tuple[str, Any], ...],
    is_odd: bool = False,
) -> Quadrature:
    """One quadrature for all layers alike: its tables are made once."""
    return Quadrature(OfModule(kind, options), kinks, is_odd=is_odd)


@dataclass(frozen=True)
class OfModule:
    """What a module of torch's does, as a value.

    Attributes:
        kind: Its type.
        options: By name.
    """

    kind: type[nn.Module]
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        """The module's result."""
        return _module(self)(x)


@cache
def _module(of: OfModule) -> nn.Module:
    return of.kind(**dict(of.options))


def _numerical(kind: type[nn.Module], *options: str, kinks: Any = (), is_odd: bool = False) -> None:
    """File one of torch's own modules, by the names of its options and where it bends."""

    def build(layer: nn.Module) -> AbstractActivation:
        found: Any = kinks(layer) if callable(kinks) else kinks
        values = tuple((name, getattr(layer, name)) for name in options)
        return _shared(kind, tuple(float(t) for t in found), values, is_odd)

    duals.register(kind)(build)


def _hard_sigmoid(x: Tensor) -> Tensor:
    """`nn.Hardsigmoid`, whose own gradient takes 1/6 in float32 and cannot be differentiated again."""
    return (x / 6 + 0.5).clamp(0, 1)


def _tanh_shrink(x: Tensor) -> Tensor:
    """`x - tanh x = (x cosh x - sinh x) / cosh x`: a series of one sign below 1, where it cancels."""
    near = x.clamp(-1, 1)
    square, series = near * near, torch.zeros_like(x)
    for k in range(10, 0, -1):
        series = series * square + 2 * k / factorial(2 * k + 1)
    return torch.where(x.abs() < 1, near * square * series / near.cosh(), x - x.tanh())


_HARD_SIGMOID = Quadrature(_hard_sigmoid, (-3.0, 3.0))
_TANH_SHRINK = Quadrature(_tanh_shrink, (), is_odd=True)


_piecewise_linear()
_closed_forms()
duals.register(nn.Hardsigmoid)(lambda layer: _HARD_SIGMOID)
duals.register(nn.Tanhshrink)(lambda layer: _TANH_SHRINK)
_numerical(nn.Tanh, is_odd=True)
_numerical(nn.Sigmoid)
_numerical(nn.LogSigmoid)
_numerical(nn.SiLU)
_numerical(nn.Mish)
_numerical(nn.Softplus, "beta", "threshold", kinks=lambda layer: (layer.threshold / layer.beta,))
_numerical(nn.ELU, "alpha", kinks=(0.0,))
_numerical(nn.CELU, "alpha", kinks=(0.0,))
_numerical(nn.SELU, kinks=(0.0,))
_numerical(nn.Hardtanh, "min_val", "max_val", kinks=lambda layer: (layer.min_val, layer.max_val))
_numerical(nn.ReLU6, kinks=(0.0, 6.0))
_numerical(nn.Hardswish, kinks=(-3.0, 3.0))
_numerical(nn.Softsign, kinks=(0.0,), is_odd=True)
_numerical(nn.Softshrink, "lambd", kinks=lambda layer: (-layer.lambd, layer.lambd), is_odd=True)
_numerical(nn.Hardshrink, "lambd", kinks=lambda layer: (-layer.lambd, layer.lambd), is_odd=True)
_numerical(nn.Threshold, "threshold", "value", kinks=lambda layer: (layer.threshold,))
