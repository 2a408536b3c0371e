"""The weight and bias variances of a plain layer: measured, or as PyTorch initialises them."""

from typing import Literal

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from ntkit._core.torch_internals import version_of
from ntkit.kernels.infinite.rules.draws import of_vector

__all__ = ["Taken", "Variances", "layer_variances", "mean_of", "mean_square", "spread_of"]

Variances = Literal["measured", "default"]
"""What a user asks for."""

Taken = Literal["measured", "default", "centred"]
"""What a rule is asked for: "centred" is "measured" with the shifts' mean taken off, see `mean_of`."""


def layer_variances(layer: nn.Module, variances: Taken) -> tuple[float, float]:
    """Weight and bias variance of a plain dense or convolutional layer.

    "measured" is the mean square of its entries as they are (the bias counts as drawn from zero
    mean; "centred" is without its mean); "default" is what `reset_parameters` draws from, `U(-1/sqrt(k), 1/sqrt(k))` with `k` the
    size of one output's slice of the weight tensor.
    """
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    if variances == "default":
        default = 1 / (3 * weight[0].numel())
        return default, default if bias is not None else 0.0
    if bias is None:
        return mean_square(weight), 0.0
    return mean_square(weight), spread_of(bias) if variances == "centred" else mean_square(bias)


def mean_square(parameter: Tensor | nn.Module) -> float:
    """The mean square of the entries, worked out again only when they have changed.

    A kernel asks once a tile. Changes are seen by the tensor's version, its place in memory, and a
    few of its entries (writing through `.data` leaves the version alone).
    """
    return _moments(parameter)[0]


def mean_of(shift: Tensor | nn.Module) -> float:
    """The mean of the shifts of all channels, where chance does not explain it; 0.0 where it does."""
    return _moments(shift)[1]


def spread_of(shift: Tensor | nn.Module) -> float:
    """The mean square of what is left of shifts without their `mean_of`."""
    square, mean = _moments(shift)
    return max(0.0, square - mean**2)


def _moments(parameter: Tensor | nn.Module) -> tuple[float, float]:
    """Mean square and mean of the entries, remembered for as long as these stay the same."""
    assert isinstance(parameter, Tensor)
    flat = parameter.detach().reshape(-1)
    sample = flat[:: max(1, len(flat) // 16)].tolist()
    mark = (version_of(parameter), parameter.data_ptr(), len(flat), *sample)
    known = _known.get(parameter)
    if known is None or known[0] != mark:
        doubt = of_vector(flat)
        mean = 0.0 if doubt is None else doubt.mean
        known = mark, (float((flat.double() ** 2).mean()), mean)
        _known[parameter] = known
    return known[1]


_known = WeakTensorKeyDictionary()
