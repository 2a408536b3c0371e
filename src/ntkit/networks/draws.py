"""Layers of `torch.nn` with weights of a stated law, drawn from a generator of one's own."""

from math import sqrt

import torch
from torch import nn

from ntkit._core.checks import random_source

__all__ = ["glorot_linear", "uniform_linear"]


def uniform_linear(
    fan_in: int,
    fan_out: int,
    generator: torch.Generator | None,
    *,
    bound: float | None = None,
    bias_bound: float | None = None,
    bias: bool = True,
) -> nn.Linear:
    """An `nn.Linear` with uniform weights and biases, as PyTorch initialises it but seedable.

    Args:
        fan_in: Inputs.
        fan_out: Outputs.
        generator: Source of the draw, weights first.
        bound: The weights are `U(-bound, bound)`; `fan_in^-1/2`, PyTorch's default, if left out.
        bias_bound: The same for the biases.
        bias: Whether there are any.
    """
    random_source(generator)
    # Made empty: PyTorch's own initialisation would draw from the global generator as well.
    layer = nn.Linear(fan_in, fan_out, bias=bias, device="meta")
    layer = layer.to_empty(device=torch.get_default_device())
    default = fan_in**-0.5
    with torch.no_grad():
        for parameter, limit in ((layer.weight, bound), (layer.bias, bias_bound)):
            if parameter is not None:
                size = default if limit is None else limit
                parameter.uniform_(-size, size, generator=generator)
    return layer


def glorot_linear(fan_in: int, fan_out: int, generator: torch.Generator | None) -> nn.Linear:
    """An `nn.Linear` with weights `U(-c, c)`, `c = sqrt(6 / (fan_in + fan_out))`, and zero biases.

    Args:
        fan_in: Inputs.
        fan_out: Outputs.
        generator: Source of the draw.

    Source: Glorot and Bengio 2010, eq. 16; the default of Keras.
    """
    bound = sqrt(6 / (fan_in + fan_out))
    return uniform_linear(fan_in, fan_out, generator, bound=bound, bias_bound=0.0)
