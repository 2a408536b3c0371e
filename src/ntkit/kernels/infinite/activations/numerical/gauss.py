"""Derivatives for the integrals of activations."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["derivative"]


def derivative(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function'(x)` by autograd, elementwise: 0 where the function is constant.

    Differentiable again where `x` asks for gradients.
    """
    tracked = x.requires_grad and torch.is_grad_enabled()
    with torch.inference_mode(False), torch.enable_grad():
        points = x if tracked else x.detach().clone().requires_grad_(True)
        value = function(points * 1)  # not the leaf itself, which functions in place would refuse
        if not value.requires_grad:
            return torch.zeros_like(x)
        (slope,) = torch.autograd.grad(value.sum(), points, create_graph=tracked)
    return slope
