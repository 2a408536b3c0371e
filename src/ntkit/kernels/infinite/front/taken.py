"""What a program takes from a module: features of the points, and numbers as draws."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, fx, nn

__all__ = ["Drawn", "Features", "Transform"]

Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Features:
    """A tensor that steps take from the points.

    Attributes:
        node: Of the traced module, whose tensor it is.
        channel_axis: Where that has its channels; None for weights of positions, which have none.
        ndim: The number of axes that it is brought to by new ones in front; 0 for as many as it has.
        transform: A function that it goes through last; None for none.
    """

    node: fx.Node
    channel_axis: int | None
    ndim: int = 0
    transform: Transform | None = None


@dataclass(frozen=True)
class Drawn:
    """Numbers of the module that a step takes as independent draws of mean zero, or as a known mean.

    Attributes:
        name: Of the layer or parameter.
        owner: It.
        kind: What it does to the units: a "layer" with weights, a normalisation ("norm"), or a bare
            parameter: a "shift", a "table" of positions, a "factor" of each channel, a "token".
            Scales of the points' own features ("inputs") are taken as they are.
        mean: The mean of its shifts that a later step adds; 0.0 where they count as draws.
    """

    name: str
    owner: nn.Module | nn.Parameter
    kind: Literal["layer", "norm", "shift", "table", "factor", "token", "inputs"]
    mean: float = 0.0
