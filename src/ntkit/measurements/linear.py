"""Derivatives of linear maps: each is the other map, however often one asks."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor

__all__ = ["linear"]

Map = Callable[[Tensor], Tensor]


def linear(there: Map, back: Map, value: Tensor) -> Tensor:
    """`there(value)`, with derivatives by `back` and `there` alone.

    Args:
        there: A linear map of tensors `[..., o]` that treats each output `o` alike; it need not be differentiable.
        back: Its adjoint.
        value: What it is given.

    Example:
        >>> x = torch.ones(2, 1, requires_grad=True)
        >>> linear(lambda v: 3 * v, lambda v: 3 * v, x).sum().backward()
        >>> x.grad.flatten()
        tensor([3., 3.])
    """
    return _Linear.apply(value, there, back)  # pyright: ignore[reportReturnType]


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(value: Tensor, there: Map, back: Map) -> Tensor:
        return there(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        value, ctx.there, ctx.back = inputs
        ctx.is_real = not value.is_complex()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        found = linear(ctx.back, ctx.there, grads[0])
        return (found.real if ctx.is_real and found.is_complex() else found), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor | None) -> Tensor:
        return linear(ctx.there, ctx.back, tangents[0])  # pyright: ignore[reportArgumentType]

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> tuple[Tensor, int]:
        """More values are more outputs."""
        value, there, back = args
        last = value.movedim(in_dims[0], -1)
        found = linear(there, back, last.flatten(-2)).unflatten(-1, last.shape[-2:])
        return found.movedim(-1, 0), 0


# Torch asks for it at each call, which took longer than the product of a small picture.
_Linear.forward.__signature__ = signature(_Linear.forward)  # pyright: ignore[reportFunctionMemberAccess]
