"""Values whose derivatives stop somewhere, and say so when they are asked for."""

from typing import Any

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError

__all__ = ["first_order", "without_derivative"]


def first_order(value: Tensor, why: str, *sources: Tensor) -> Tensor:
    """`value`, whose gradient is right, and whose second derivatives by `sources` are refused.

    Args:
        value: What it is.
        why: What the `NumericalError` says when a second derivative is asked for.
        sources: What its gradient depends on.
    """
    if not (torch.is_grad_enabled() and value.requires_grad):
        return value
    return _FirstOrder.apply(value, why, *sources)


def without_derivative(value: Tensor, why: str, *sources: Tensor) -> Tensor:
    """`value`, which came about without derivatives: one by `sources` is refused when asked for.

    Args:
        value: What it is.
        why: What the `NumericalError` says.
        sources: What it depends on; those that ask for no gradients do not count.
    """
    asking = [s for s in sources if s.requires_grad]
    if not (torch.is_grad_enabled() and asking):
        return value
    return _Refused.apply(value.detach(), why, *asking)


class _FirstOrder(torch.autograd.Function):
    """The identity; its gradient depends on the sources, by a function without derivative."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, why: str, *sources: Tensor) -> Tensor:
        ctx.save_for_backward(*sources)
        ctx.why = why
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        sources = ctx.saved_tensors
        return _Refused.apply(grads[0], ctx.why, *sources), None, *(None for _ in sources)


class _Refused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, why: str, *sources: Tensor) -> Tensor:
        ctx.why = why
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        raise NumericalError(ctx.why)
