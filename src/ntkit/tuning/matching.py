"""Times of plain gradient flow at which it has reached what another training reaches."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.modes import Modes, flow_trajectory

__all__ = ["longest_time", "matching_times"]

_SETTLED = 1e-8  # of the first error: what training longer still gains is seen nowhere
_LONGEST = 1e8  # in units of the fastest mode's time: the cost grows with the root of it


def longest_time(modes: Modes) -> float:
    """Beyond this gradient-flow time the exact engine is not asked: its cost would have no end."""
    return _LONGEST / float(modes.eigenvalues.sum(0).max())


def matching_times(modes: Modes, decay: Float[Tensor, "s k"]) -> list[float]:
    """Gradient-flow times at which plain descent has the training error of each `decay`.

    By bisection on the logarithm of the time: the training error falls monotonically. Errors below
    1e-8 of the first are taken for that, and no time exceeds `longest_time`.
    """
    start = modes.error(torch.ones_like(modes.energy))
    wanted = modes.error(decay).clamp_min(_SETTLED * float(start))
    longest = longest_time(modes)
    found = []
    for error in wanted:
        low, high = -16.0, 0.0
        for _ in range(50):
            centre = (low + high) / 2
            reached = modes.error(flow_trajectory(modes, [longest * 10**centre]).decay)[0]
            low, high = (low, centre) if reached <= error else (centre, high)
        found.append(longest * 10**high)
    return found
