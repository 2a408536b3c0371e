"""Random frequencies from one draw of unit variance, scaled axis by axis."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import per_axis, positive

__all__ = ["scaled", "summary", "widths"]


def widths(bandwidth: float | Sequence[float], in_dim: int) -> list[float]:
    """The standard deviation along each axis.

    Raises:
        ValueError: There is not one an axis, or one is not above 0.
    """
    found = [positive("bandwidth", w) for w in per_axis(bandwidth, in_dim)]
    if len(found) != in_dim:
        raise ValueError(
            f"`bandwidth={bandwidth!r}` has {len(found)} entries for `in_dim={in_dim}` axes. "
            "Pass one number, or one an axis."
        )
    return found


def scaled(
    unit: Float[Tensor, "m d"], deviations: Sequence[float], *, integer: bool
) -> Float[Tensor, "m d"]:
    """Frequencies: `unit` times the deviation of each axis; whole cycles where asked."""
    frequencies = torch.tensor(deviations) * unit
    return frequencies.round() if integer else frequencies


def summary(deviations: Sequence[float]) -> float | tuple[float, ...]:
    """One number where all axes have the same, else one an axis."""
    return deviations[0] if len(set(deviations)) == 1 else tuple(deviations)
