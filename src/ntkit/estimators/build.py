"""A kernel as a function of positive hyperparameters, for libraries that learn them."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.base import AbstractKernel

__all__ = ["Build", "made", "slopes"]

Build: TypeAlias = Callable[..., AbstractKernel] | AbstractKernel
"""A function of 0-d float64 tensors that makes a kernel; or a kernel without hyperparameters."""


def made(build: Build, values: Float[Tensor, " k"]) -> AbstractKernel:
    """The kernel at these hyperparameters.

    Raises:
        TypeError: The function does not make a kernel.
        ValueError: A kernel was given, and hyperparameters too.
    """
    if isinstance(build, AbstractKernel):
        if len(values):
            raise ValueError(
                f"`build={build!r}` is a kernel without hyperparameters, and {len(values)} values "
                "were given. Pass a function of them: `build=lambda a: a * RBF(1.0)`."
            )
        return build
    kernel = build(*values)
    if not isinstance(kernel, AbstractKernel):
        raise TypeError(f"`build` must return a kernel of ntkit, got {type(kernel).__name__}.")
    return kernel


def slopes(
    table: Callable[[AbstractKernel], Tensor], build: Build, values: Float[Tensor, " k"]
) -> tuple[Float[Tensor, "..."], Float[Tensor, "k ..."]]:
    """`table(kernel)` and its derivatives in the logarithm of each hyperparameter, exact.

    By reverse mode twice: the first pass is linear in its cotangent, and its derivative in that is the
    derivative forward. All entries at once, one pass a hyperparameter.

    Args:
        table: What is wanted of the kernel, its Gram matrix or diagonal.
        build: See `Build`.
        values: The hyperparameters.
    """
    with torch.enable_grad():
        logs = values.detach().double().log().requires_grad_()
        result = table(made(build, logs.exp()))
        if not len(values) or not result.requires_grad:
            return result.detach(), result.new_zeros(len(values), *result.shape)
        cotangent = torch.zeros_like(result, requires_grad=True)
        (pulled,) = torch.autograd.grad(result, logs, cotangent, create_graph=True)
        rows = [
            torch.autograd.grad(slope, cotangent, retain_graph=True)[0] for slope in pulled.unbind()
        ]
    return result.detach(), torch.stack(rows)
