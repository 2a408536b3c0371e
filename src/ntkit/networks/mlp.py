"""A coordinate network: encoding, hidden ReLU layers, linear read-out."""

from itertools import pairwise
from typing import Literal

import torch
from torch import nn

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding, checked_encoding
from ntkit.networks.draws import uniform_linear
from ntkit.networks.linear import Linear

__all__ = ["mlp"]


def mlp(
    encoding: AbstractEncoding,
    out_dim: int,
    *,
    width: int = 256,
    depth: int = 4,
    parametrisation: Literal["standard", "ntk"] = "standard",
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """An ordinary `nn.Sequential`: `encoding`, `depth` hidden ReLU layers, a linear read-out.

    Args:
        encoding: First module.
        out_dim: Number of outputs (colour channels).
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        parametrisation: "standard" for `nn.Linear` with PyTorch's default initialisation, "ntk"
            for `ntkit.networks.Linear` with `w_std = sqrt(2)` on hidden layers (which keeps the
            variance through ReLU) and `b_std = 0.1`.
        generator: Source of the initial weights.

    Raises:
        ValueError: `parametrisation` is neither.

    Example:
        >>> from ntkit.encodings import Basic
        >>> len(mlp(Basic(2), 3, width=16, depth=2))
        6
    """
    depth = positive_int("depth", depth)
    sizes = [
        checked_encoding("encoding", encoding).out_dim,
        *[positive_int("width", width)] * depth,
        positive_int("out_dim", out_dim),
    ]
    layers: list[nn.Module] = [encoding]
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        if parametrisation == "ntk":
            w_std = 2**0.5 if i < depth else 1.0
            layers.append(Linear(fan_in, fan_out, w_std=w_std, b_std=0.1, generator=generator))
        elif parametrisation == "standard":
            layers.append(uniform_linear(fan_in, fan_out, generator))
        else:
            raise ValueError(f'`parametrisation={parametrisation!r}` must be "standard" or "ntk".')
        if i < depth:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)
