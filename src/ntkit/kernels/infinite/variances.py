"""The weight and bias variances of a plain layer: measured, or as PyTorch initialises them."""

from typing import Literal

from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["Variances", "layer_variances", "mean_square"]

Variances = Literal["measured", "default"]


def layer_variances(layer: nn.Module, variances: Variances) -> tuple[float, float]:
    """Weight and bias variance of a plain dense or convolutional layer.

    "measured" is the mean square of its entries as they are (the bias counts as drawn from zero
    mean); "default" is what `reset_parameters` draws from, `U(-1/sqrt(k), 1/sqrt(k))` with `k` the
    size of one output's slice of the weight tensor.
    """
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, Tensor)
    if variances == "default":
        default = 1 / (3 * weight[0].numel())
        return default, default if bias is not None else 0.0
    return mean_square(weight), 0.0 if bias is None else mean_square(bias)


def mean_square(parameter: Tensor | nn.Module) -> float:
    """The mean square of the entries, worked out again only when they have changed.

    A kernel asks once a tile. Changes are seen by the tensor's version, its place in memory, and a
    few of its entries (writing through `.data` leaves the version alone).
    """
    assert isinstance(parameter, Tensor)
    flat = parameter.detach().reshape(-1)
    sample = flat[:: max(1, len(flat) // 16)].tolist()
    mark = (parameter._version, parameter.data_ptr(), len(flat), *sample)
    known = _known.get(parameter)
    if known is None or known[0] != mark:
        known = mark, float((flat.double() ** 2).mean())
        _known[parameter] = known
    return known[1]


_known = WeakTensorKeyDictionary()
