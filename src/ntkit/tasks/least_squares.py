"""First fits of a field to its measurements, to know of what size it is."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkit.measurements import AbstractMeasurement

__all__ = ["constant_fit", "first_fit"]

_STEPS = 5


def constant_fit(data: Shaped[Tensor, "..."], A: AbstractMeasurement) -> float:
    """The constant field, the same in all outputs, that fits best; 0 for complex fields."""
    if A.is_complex:
        return 0.0
    ones = A(torch.ones(*A.field_shape, data.shape[-1], dtype=data.dtype, device=data.device))
    size = float(ones.square().sum())
    return float((ones * data).sum()) / size if size else 0.0


def first_fit(
    data: Shaped[Tensor, "..."], A: AbstractMeasurement, *, steps: int = _STEPS
) -> Shaped[Tensor, "..."]:
    """A rough least-squares fit, `[*field_shape, o]`: conjugate gradients from zero, stopped early.

    Args:
        data: `[*data_shape, o]`.
        A: The measurement.
        steps: Of conjugate gradients; few, as more of them fit the noise.

    Source: Hestenes and Stiefel 1952, section 10 (normal equations, CGLS).
    """
    rest = data.clone()
    found = torch.zeros_like(A.adjoint(data))
    gradient = A.adjoint(rest)
    direction, size = gradient, float(gradient.abs().square().sum())
    for _ in range(steps):
        seen = A(direction)
        curvature = float(seen.abs().square().sum())
        if not curvature > 0:
            break
        found = found + size / curvature * direction
        rest = rest - size / curvature * seen
        gradient = A.adjoint(rest)
        before, size = size, float(gradient.abs().square().sum())
        direction = gradient + size / before * direction
    return found
