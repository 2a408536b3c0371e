"""Early stopping: the moment of the least validation error."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Stopping", "best_moment"]

_ROUNDS = 3  # of narrowing: a logarithmic scan of 8 a decade ends at about 1e-4 of the moment
_FINE = 16


@dataclass(frozen=True)
class Stopping:
    """When to stop training.

    Attributes:
        time: The best moment: a time, or a number of steps; `inf` where more is always better.
        error: Mean squared validation error then.
        times: Moments that were tried, in order.
        errors: The validation error at each.
    """

    time: float
    error: float
    times: Float[Tensor, " t"]
    errors: Float[Tensor, " t"]


def best_moment(
    errors: Callable[[list[float]], Tensor],
    scan: list[float],
    *,
    in_steps: bool,
) -> Stopping:
    """The least error over a scan, then over finer ones between the neighbours of the best.

    Args:
        errors: Validation errors at several moments at once.
        scan: Rising moments of the first round; 0 and infinity are added.
        in_steps: Whether moments are whole numbers.
    """
    curve: dict[float, float] = {}

    def look(moments: list[float]) -> None:
        wanted = sorted(
            {float(round(m)) if in_steps and m < inf else m for m in moments} - set(curve)
        )
        if wanted:
            curve.update(zip(wanted, errors(wanted).tolist(), strict=True))

    look([0.0, *scan, inf])
    for _ in range(_ROUNDS):
        ordered = sorted(curve)
        i = min(range(len(ordered)), key=lambda j: curve[ordered[j]])
        if i in {0, len(ordered) - 1}:
            break
        low, high = ordered[i - 1], ordered[i + 1]
        if high == inf:
            break
        look([low + (high - low) * k / _FINE for k in range(1, _FINE)])
    best = min(curve, key=lambda m: (curve[m], m))
    times = sorted(curve)
    return Stopping(
        time=best,
        error=curve[best],
        times=torch.tensor(times, dtype=torch.float64),
        errors=torch.tensor([curve[m] for m in times], dtype=torch.float64),
    )
