"""What tables are multiplied by and shifted with: numbers, or tensors that may ask for gradients."""

import torch
from torch import Tensor

__all__ = ["Scale", "affine", "is_known"]

Scale = float | Tensor
"""A number, or a tensor that may ask for gradients."""


def affine(table: Tensor, w: Scale, b: Scale) -> Tensor:
    """`w table + b`, without the passes over memory that change nothing."""
    if is_known(w, 0.0):
        return torch.full_like(table, b) if not isinstance(b, Tensor) else b.expand_as(table)
    table = table if is_known(w, 1.0) else w * table
    return table if is_known(b, 0.0) else table + b


def is_known(scale: Scale, value: Scale) -> bool:
    """Whether a scale is known to be a value; tensors may ask for gradients, and are only themselves."""
    if isinstance(scale, Tensor) or isinstance(value, Tensor):
        return scale is value
    return scale == value
