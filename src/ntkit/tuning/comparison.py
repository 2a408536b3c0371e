"""What trials say of candidates: how much better one is, how sure that is, and what to prefer."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.metrics import AbstractMetric
from ntkit.tuning.choice import Goal
from ntkit.tuning.trials import Trial

__all__ = ["Lead", "error_of", "lead_of", "preferred"]


@dataclass(frozen=True)
class Lead:
    """How much better one candidate is than another, in the unit of the metric.

    Attributes:
        gain: Above 0 where it is better.
        noise: Standard error of that, from the parts that the models are of.
    """

    gain: float
    noise: float

    @property
    def is_sure(self) -> bool:
        """Whether it says more than its noise."""
        return self.gain > self.noise


def error_of(trial: Trial, metric: AbstractMetric, goal: Goal, steps: int) -> float:
    """Error over all parts as if they were one: a mean of decibels would count smooth parts for most."""
    error = metric.error(_sums(trial, goal, steps).sum(0))
    return error if isfinite(error) else float("inf")


def lead_of(
    trial: Trial, other: Trial, metric: AbstractMetric, goal: Goal, steps: tuple[int, int]
) -> Lead:
    """How much better one trial is than another on the same parts, and its standard error by the jackknife.

    Args:
        trial: Of the one.
        other: Of the other.
        metric: Of the task.
        goal: What counts.
        steps: After how many steps of each.

    Source: Efron and Stein 1981: `(n - 1) / n sum_i (D_(i) - mean)^2` over the estimates without part `i`.
    """
    ours, theirs = _sums(trial, goal, steps[0]), _sums(other, goal, steps[1])
    n = len(ours)

    def gain(kept: Tensor) -> float:
        a, b = (metric.quality(metric.error(s[kept].sum(0))) for s in (ours, theirs))
        return a - b if isfinite(a) or isfinite(b) else 0.0

    every = torch.ones(n, dtype=torch.bool)
    whole = gain(every)
    if n == 1 or not isfinite(whole):
        return Lead(whole, float("inf") if isfinite(whole) else 0.0)
    without = [gain(every.clone().index_fill(0, torch.tensor([i]), 0)) for i in range(n)]
    mean = fmean(without)
    return Lead(whole, sqrt((n - 1) / n * sum((d - mean) ** 2 for d in without)))


def preferred(
    trials: Sequence[Trial], usual: Trial, metric: AbstractMetric, goal: Goal, steps: int
) -> Trial:
    """The best of some, if it beats the usual one by more than the noise; else the usual one."""
    best = min(trials, key=lambda t: error_of(t, metric, goal, steps))
    lead = lead_of(best, usual, metric, goal, (steps, steps))
    return best if lead.is_sure else usual


def _sums(trial: Trial, goal: Goal, steps: int) -> Float[Tensor, "p s"]:
    return (trial.held_out if goal == "generalise" else trial.train)[steps]
