"""Early stopping: the moment of the least validation error."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, inf

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["SETTLED", "Ripple", "Stopping", "best_moment"]

_ROUNDS = 3  # of narrowing: a logarithmic scan of 8 a decade ends at about 1e-4 of the moment
_FINE = 16  # parts of an interval: a round leaves the two about the least, an eighth of it
_BASINS = 5  # minima of the scan that are looked into: the lowest of it need not lead to the lowest
_PER_TURN = 8  # moments a turn: the nearest is a sixteenth of a turn away, where a cosine has 92 % of its height
SETTLED = 1e-6
"""Share of an amplitude at which a swinging mode counts as settled."""


@dataclass(frozen=True)
class Stopping:
    """When to stop training.

    Attributes:
        time: The best moment: a time, or a number of steps; `inf` where more is always better.
        error: Mean squared validation error then.
        times: Moments that were tried, in order.
        errors: The validation error at each.

    Example:
        >>> import ntkit, torch
        >>> flow = ntkit.GradientFlow(ntkit.kernels.Constant(1.0), torch.zeros(1, 1), torch.tensor([2.0]))
        >>> stop = flow.best_time(torch.ones(1, 1), torch.tensor([1.0]))
        >>> round(stop.time, 3), round(stop.error, 6)  # 2 (1 - exp(-t)) passes 1 at t = log 2
        (0.693, 0.0)
    """

    time: float
    error: float
    times: Float[Tensor, " t"]
    errors: Float[Tensor, " t"]


@dataclass(frozen=True)
class Ripple:
    """Modes that swing about their targets before they settle.

    Attributes:
        until: Moment by which they have settled.
        turn: Shortest period of a squared amplitude; 1 or less, in steps, where each step counts.
    """

    until: float
    turn: float


def best_moment(
    errors: Callable[[list[float]], Tensor],
    scan: list[float],
    *,
    in_steps: bool,
    ripple: Ripple | None = None,
    most: int = 5_000,
) -> Stopping:
    """The least error over a scan, then over finer ones between the neighbours of the lowest minima.

    Args:
        errors: Validation errors at several moments at once.
        scan: Rising moments of the first round; 0 and infinity are added.
        in_steps: Whether moments are whole numbers.
        ripple: Where minima lie between the moments of the scan.
        most: Moments of the first round; where a ripple asks for more, a warning says so.
    """
    curve: dict[float, float] = {}

    def look(moments: list[float]) -> None:
        wanted = sorted(
            {float(round(m)) if in_steps and m < inf else m for m in moments} - set(curve)
        )
        if wanted:
            curve.update(zip(wanted, errors(wanted).tolist(), strict=True))

    look([0.0, *scan, *_within(ripple, in_steps=in_steps, most=most), inf])
    ordered = sorted(curve)
    last = len(ordered) - 1
    lows = [
        i
        for i, moment in enumerate(ordered)
        if curve[moment] <= min(curve[ordered[max(i - 1, 0)]], curve[ordered[min(i + 1, last)]])
        and curve[moment] < max(curve[ordered[max(i - 1, 0)]], curve[ordered[min(i + 1, last)]])
    ]
    for i in sorted(lows, key=lambda i: curve[ordered[i]])[:_BASINS]:
        _narrow(look, curve, ordered[max(i - 1, 0)], ordered[min(i + 1, last)])
    best = min(curve, key=lambda m: (curve[m], m))
    times = sorted(curve)
    return Stopping(
        time=best,
        error=curve[best],
        times=torch.tensor(times, dtype=torch.float64),
        errors=torch.tensor([curve[m] for m in times], dtype=torch.float64),
    )


def _narrow(
    look: Callable[[list[float]], None], curve: dict[float, float], low: float, high: float
) -> None:
    """Finer and finer scans between two moments about a minimum."""
    for _ in range(_ROUNDS):
        if high == inf:
            return
        look([low + (high - low) * k / _FINE for k in range(1, _FINE)])
        inside = sorted(m for m in curve if low <= m <= high)
        i = min(range(len(inside)), key=lambda j: curve[inside[j]])
        if i in {0, len(inside) - 1}:
            return
        low, high = inside[i - 1], inside[i + 1]


def _within(ripple: Ripple | None, *, in_steps: bool, most: int) -> list[float]:
    """Moments that see each turn of a ripple."""
    if ripple is None:
        return []
    step = ripple.turn / _PER_TURN
    if in_steps:
        step = max(1.0, float(int(step)))
    count = most + 1 if ripple.until == inf else ceil(ripple.until / step)
    if count > most:
        warnings.warn(
            f"`best_time`: modes swing for {ripple.until:.3g} with a turn of {ripple.turn:.3g}, more "
            f"than the {most} moments that are looked at show: a lower minimum may lie between. `stopping.times` and `.errors` are what was seen. Add friction, or look at "
            "`predict` over the range that matters.",
            stacklevel=4,
        )
        step, count = (step if ripple.until == inf else ripple.until / most), most
    return [step * k for k in range(1, count + 1)]
