"""First fits of a field to its measurements, to know of what size it is."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit.measurements import AbstractMeasurement

__all__ = ["constant_fit", "first_fit"]

_STEPS = 5
"""Enough for the coarse shape; many more would fit the noise."""


def constant_fit(
    data: Shaped[Tensor, "..."], A: AbstractMeasurement, roots: Float[Tensor, "..."] | None = None
) -> float:
    """The constant field, the same in all outputs, that fits best; 0 for complex fields.

    Args:
        data: `[*data_shape, o]`.
        A: The measurement.
        roots: Square roots of the data's weights; 1 if left out.
    """
    if A.is_complex:
        return 0.0
    weight = 1.0 if roots is None else roots**2
    ones = A(torch.ones(*A.field_shape, data.shape[-1], dtype=data.dtype, device=data.device))
    size = float((weight * ones.square()).sum())
    return float((weight * ones * data).sum()) / size if size else 0.0


def first_fit(
    data: Shaped[Tensor, "..."],
    A: AbstractMeasurement,
    roots: Float[Tensor, "..."] | None = None,
    *,
    steps: int = _STEPS,
) -> Shaped[Tensor, "..."]:
    """A rough least-squares fit, `[*field_shape, o]`: conjugate gradients from zero, stopped early.

    Args:
        data: `[*data_shape, o]`.
        A: The measurement.
        roots: Square roots of the data's weights; 1 if left out.
        steps: Of conjugate gradients; few, as more of them fit the noise.

    Source: Hestenes and Stiefel 1952, section 10 (normal equations, CGLS).
    """
    root = 1.0 if roots is None else roots
    rest = root * data
    gradient = A.adjoint(root * rest)
    found = torch.zeros_like(gradient)
    direction, size = gradient, float(gradient.abs().square().sum())
    for _ in range(steps):
        seen = root * A(direction)
        curvature = float(seen.abs().square().sum())
        if not curvature > 0:
            break
        found = found + size / curvature * direction
        rest = rest - size / curvature * seen
        gradient = A.adjoint(root * rest)
        before, size = size, float(gradient.abs().square().sum())
        direction = gradient + size / before * direction
    return found
