"""The standard deviations that layers act with: numbers, or tensors to be learned."""

import torch
from torch import Tensor, nn

from ntkit._core.checks import non_negative, number, positive

__all__ = ["Scale", "plain", "scale", "set_scales", "squared"]

Scale = float | Tensor
"""A number; or a tensor without axes that asks for gradients, in which kernels then have derivatives."""


def scale(name: str, value: object, *, zero: bool = False) -> Scale:
    """`value` as a float; a tensor that asks for gradients as it is.

    Args:
        name: Of the argument.
        value: What was passed.
        zero: Whether it may be 0, or infinite.

    Raises:
        ValueError: It is out of range, or a tensor with axes.
    """
    check = non_negative if zero else positive
    if not isinstance(value, Tensor) or not value.requires_grad:
        return check(name, value)
    if value.ndim:
        raise ValueError(
            f"`{name}` must be a number or a tensor without axes, got shape {tuple(value.shape)}. Pass "
            f"`{name}.squeeze()`."
        )
    check(name, number(name, value.detach()))
    return value


def set_scales(layer: nn.Module, w_std: object, b_std: object) -> None:
    """The attributes `w_std` and `b_std`: never parameters of the layer, even where a parameter is passed.

    They stay out of its state, and of what an optimiser of its parameters, or its tangent kernel, takes.
    """
    vars(layer)["w_std"] = scale("w_std", w_std)
    vars(layer)["b_std"] = scale("b_std", b_std, zero=True)


def plain(value: Scale) -> float:
    """The number alone."""
    return float(value.detach()) if isinstance(value, Tensor) else value


def squared(value: Scale) -> Scale:
    """The square, in float64."""
    return value.to(torch.float64) ** 2 if isinstance(value, Tensor) else value**2
