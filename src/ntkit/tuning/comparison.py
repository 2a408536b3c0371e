"""How much better one candidate is than another by trials on the same parts, how sure that is, and what to prefer."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import fmean
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.metrics import AbstractMetric

__all__ = ["Lead", "lead_of", "preferred"]

Sums = Float[Tensor, "p s"]
"""What a metric sums, of each part."""

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Lead:
    """How much better one candidate is than another, in the unit of the metric.

    Attributes:
        gain: Above 0 where it is better.
        noise: Standard error of that, from the parts that the models are of.

    Example:
        >>> Lead(gain=0.4, noise=0.1).is_sure, Lead(gain=0.4, noise=0.5).is_sure  # in dB
        (True, False)
    """

    gain: float
    noise: float

    @property
    def is_sure(self) -> bool:
        """Whether it says more than its noise."""
        return self.gain > self.noise


def lead_of(ours: Sums, theirs: Sums, metric: AbstractMetric) -> Lead:
    """How much better one is than another, over all parts as if they were one, and the jackknife's error of that.

    A mean of decibels over parts would count smooth ones for most of it. One part alone shows no noise: nothing
    is sure then. What diverged is infinitely worse, for sure.

    Source: Efron and Stein 1981: `(n - 1) / n sum_i (d_i - mean)^2`, `d_i` the difference without part `i`.
    """
    worst = [not isfinite(metric.error(s.sum(0))) for s in (ours, theirs)]
    if any(worst):
        return Lead(0.0 if all(worst) else -inf if worst[0] else inf, 0.0)
    n = len(ours)
    gain = _gain(ours, theirs, metric)
    if n == 1:
        return Lead(gain, inf)
    kept = [torch.arange(n) != i for i in range(n)]
    without = [_gain(ours[k], theirs[k], metric) for k in kept]
    mean = fmean(without)
    return Lead(gain, sqrt((n - 1) / n * sum((d - mean) ** 2 for d in without)))


def preferred(reached: Mapping[_Key, Sums], usual: _Key, metric: AbstractMetric) -> _Key:
    """The best of some, if it beats the usual one by more than the noise; else the usual one."""
    errors = {k: metric.error(s.sum(0)) for k, s in reached.items()}
    best = min(errors, key=lambda k: errors[k] if isfinite(errors[k]) else inf)
    return best if lead_of(reached[best], reached[usual], metric).is_sure else usual


def _gain(ours: Sums, theirs: Sums, metric: AbstractMetric) -> float:
    a, b = (metric.quality(metric.error(s.sum(0))) for s in (ours, theirs))
    return 0.0 if a == b else a - b  # also where both are perfect
