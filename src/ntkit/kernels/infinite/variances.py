"""The weight and bias variances of a plain layer: measured, or as PyTorch initialises them."""

from typing import Literal

from torch import Tensor, nn

__all__ = ["Variances", "layer_variances"]

Variances = Literal["measured", "default"]


def layer_variances(layer: nn.Linear, variances: Variances) -> tuple[float, float]:
    """Weight and bias variance of a plain layer.

    "measured" is the mean square of its entries as they are (the bias counts as drawn from zero
    mean); "default" is what `reset_parameters` draws from, `U(-1/sqrt(fan_in), 1/sqrt(fan_in))`.
    """
    if variances == "default":
        default = 1 / (3 * layer.in_features)
        return default, default if layer.bias is not None else 0.0
    return _mean_square(layer.weight), _mean_square(layer.bias)


def _mean_square(parameter: Tensor | None) -> float:
    return 0.0 if parameter is None else float((parameter.detach().double() ** 2).mean())
