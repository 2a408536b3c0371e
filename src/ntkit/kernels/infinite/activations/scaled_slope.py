"""What a trained scale in front of a nonlinearity needs of it: the dual of `x s'(x)`."""

from weakref import WeakKeyDictionary

from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear

__all__ = ["scaled_slope"]


def scaled_slope(activation: AbstractActivation) -> AbstractActivation:
    """`t(x) = x s'(x)`, as an activation: `d s(g x) / dg` at `g = 1`.

    That is `s` itself for the ReLU family; others are integrated numerically.

    Raises:
        UnsupportedLayerError: `s` depends on the length of its units.
    """
    if isinstance(activation, PiecewiseLinear):
        return activation
    if not activation.is_elementwise:
        raise UnsupportedLayerError(
            f"A trained scale in front of `{type(activation).__name__}`, which takes the length of "
            "its units, has no rule. Normalise without a scale (`elementwise_affine=False`)."
        )
    if activation not in _known:

        def scaled(x: Tensor) -> Tensor:
            return x * derivative(activation.value, x)

        _known[activation] = Quadrature(scaled, activation.kinks, is_odd=activation.is_odd)
    return _known[activation]


_known: WeakKeyDictionary[AbstractActivation, AbstractActivation] = WeakKeyDictionary()
