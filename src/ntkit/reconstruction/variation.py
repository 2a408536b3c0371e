"""Total variation of fields on a grid: differences of neighbours, and their adjoint."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["curvature_of_differences", "differences", "differences_adjoint", "lengths_of"]


def differences(field: Float[Tensor, "..."], ndim: int) -> Float[Tensor, "d ..."]:
    """Differences of neighbours along each of the last `ndim` axes, `[ndim, ...]`; 0 behind the last.

    Args:
        field: `[..., *shape]`.
        ndim: Axes of the grid.
    """
    found = field.new_zeros(ndim, *field.shape)
    for k in range(ndim):
        axis, n = k - ndim, field.shape[k - ndim]
        torch.sub(
            field.narrow(axis, 1, n - 1),
            field.narrow(axis, 0, n - 1),
            out=found[k].narrow(axis, 0, n - 1),
        )
    return found


def differences_adjoint(slopes: Float[Tensor, "d ..."]) -> Float[Tensor, "..."]:
    """The transpose of `differences`: `[ndim, ...]` to `[...]`."""
    ndim = len(slopes)
    found = torch.zeros_like(slopes[0])
    for k in range(ndim):
        axis, n = k - ndim, slopes.shape[k - ndim]
        inner = slopes[k].narrow(axis, 0, n - 1)
        found.narrow(axis, 1, n - 1).add_(inner)
        found.narrow(axis, 0, n - 1).sub_(inner)
    return found


def lengths_of(slopes: Float[Tensor, "d c p ..."]) -> Float[Tensor, "c 1 ..."]:
    """The length of the gradient at each point, over axes and parts (channels; real and imaginary) together."""
    return slopes.square().sum((0, 2)).sqrt()[:, None]


def curvature_of_differences(frequencies: list[Tensor]) -> Float[Tensor, "..."]:
    """Eigenvalues of the differences' `D^T D` on a torus, from cycles per sample along each axis."""
    found = torch.zeros(())
    for k in frequencies:
        found = found + 4 * torch.sin(torch.pi * k) ** 2
    return found
