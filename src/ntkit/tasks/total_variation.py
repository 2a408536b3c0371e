"""How much a field changes from point to point."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["total_variation"]


def total_variation(
    field: Shaped[Tensor, "..."], n_axes: int, *, rounding: float = 0.0
) -> Float[Tensor, ""]:
    """The isotropic total variation of a field on a grid, `sum_i |D f_i|_2` over its points.

    `D f_i` are the differences to the next point along each axis, 0 at the last one, of all outputs together; those of
    a complex field are complex, and count by their modulus.

    Args:
        field: `[*shape, o]`, real or complex.
        n_axes: Axes of the grid.
        rounding: Differences well below it count by their squares, which have a derivative at 0 too:
            `sqrt(|D f|^2 + r^2) - r`.

    Example:
        >>> step = torch.tensor([0.0, 0.0, 2.0, 2.0]).expand(3, 4)[..., None]
        >>> float(total_variation(step, 2))
        6.0
    """
    real = torch.view_as_real(field) if field.is_complex() else field
    real = real.flatten(n_axes)
    squares = torch.zeros_like(real[..., 0])
    for axis in range(n_axes):
        step = real.diff(dim=axis).square().sum(-1)
        none = squares.narrow(axis, 0, 1) * 0
        squares = squares + torch.cat([step, none], axis)
    if not rounding:
        return squares.sqrt().sum()
    return ((squares + rounding**2).sqrt() - rounding).sum()
