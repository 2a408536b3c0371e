"""Nodes, weights and derivatives for the integrals of activations."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit._core.errors import NumericalError

__all__ = ["derivative", "first_order", "legendre"]


@cache
def legendre(count: int) -> tuple[Tensor, Tensor]:
    """Gauss and Legendre's nodes and weights on `[-1, 1]`."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy(nodes), torch.from_numpy(weights)


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


def first_order(value: Tensor, *sources: Tensor) -> Tensor:
    """`value`, whose gradient is right, and whose second derivatives by `sources` are refused.

    The refusal comes when a second derivative is asked for: `NumericalError`.
    """
    if not (torch.is_grad_enabled() and value.requires_grad):
        return value
    return _FirstOrder.apply(value, *sources)


class _FirstOrder(torch.autograd.Function):
    """The identity; its gradient depends on the sources, by a function without derivative."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, *sources: Tensor) -> Tensor:
        ctx.save_for_backward(*sources)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sources = ctx.saved_tensors
        return _Refused.apply(grads[0], *sources), *(None for _ in sources)


class _Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, *sources: Tensor) -> Tensor:
        return grad.view_as(grad)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        raise NumericalError(
            "A second derivative of an infinite-width kernel was asked for, at pairs of points where "
            "an activation without a formula (bent, or steep: near or long points) has the first "
            "alone. Use an activation with a formula (`nn.GELU`, `ntkit.networks.Erf`, `Sine`), or "
            "differences of first derivatives."
        )
