"""Of all that was predicted and tried: which encoding to recommend, and how much that matters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan, log
from statistics import fmean
from typing import Literal

from ntkit._core.errors import NumericalError
from ntkit.tasks.metrics import psnr
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.predict import Prediction
from ntkit.tuning.scale_model import ScaleModel

__all__ = [
    "Goal",
    "Row",
    "choose",
    "flat_range",
    "name_of",
    "scores_of",
    "shortlist",
]

Goal = Literal["generalise", "fit"]

FLAT = 0.3
"""Bandwidths within so many dB of the best are as good: the recommendation is one of them, unless another encoding is
better by more than this."""

_PLACE = 0.25
"""Where among those it stands: a quarter of the way up from the smallest, on a logarithmic axis."""

_QUANTISED = 1 / (12 * 255**2)  # mean square of 8-bit rounding: a fit below it shows nowhere
_MODELLED = 5
"""How many bandwidths, of the best predictions, scale models are trained of."""

_SAY = 0.75
"""What scale models count in the choice between these, the predictions being the rest."""


@dataclass(frozen=True)
class Row:
    """One encoding of the table.

    Attributes:
        candidate: Encoding and bandwidth.
        predictions: One a budget, the last for training without end.

    Example:
        >>> course = Prediction(100, train=24.0, held_out=23.0), Prediction(1000, train=30.0, held_out=25.0)
        >>> Row(Candidate("gaussian", 8.0), course).at(1000).held_out
        25.0
    """

    candidate: Candidate
    predictions: tuple[Prediction, ...]

    def at(self, steps: float) -> Prediction:
        """The prediction for so many steps."""
        return next(p for p in self.predictions if p.steps == steps)


def name_of(steps: float) -> str:
    """What tables and pictures call a budget: "1 step", "2,000 steps", "without end"."""
    if steps == inf:
        return "without end"
    return "1 step" if steps == 1 else f"{steps:,.0f} steps"


def _value(reached: Prediction | ScaleModel, goal: Goal) -> float:
    """PSNR for the goal; training errors are not told apart below 8-bit rounding."""
    value = reached.held_out if goal == "generalise" else reached.train
    return psnr(10 ** (-value / 10) + (_QUANTISED if goal == "fit" else 0.0))


def _gaussians(scores: dict[Candidate, float]) -> dict[Candidate, float]:
    return {c: s for c, s in scores.items() if c.name == "gaussian"}


def shortlist(table: Sequence[Row], goal: Goal, steps: float) -> list[Candidate]:
    """The Gaussian bandwidths of the best predictions, if another encoding is not clearly better."""
    scores = scores_of(table, (), goal, steps)
    gaussians = _gaussians(scores)
    if not gaussians or max(scores.values()) > max(gaussians.values()) + FLAT:
        return []
    return sorted(gaussians, key=lambda c: -gaussians[c])[:_MODELLED]


def scores_of(
    table: Sequence[Row], models: Sequence[ScaleModel], goal: Goal, steps: float
) -> dict[Candidate, float]:
    """Predicted PSNR; that of bandwidths with scale models is moved towards what those reached.

    Decibels of a model are of a piece of the signal: they are shifted to the predictions' mean. Where
    there are models, bandwidths without one are out, and those whose model diverged.
    """
    predicted = {row.candidate: _value(row.at(steps), goal) for row in table}
    reached = {m.candidate: _value(m, goal) for m in models}
    reached = {c: r for c, r in reached.items() if isfinite(r) and isfinite(predicted[c])}
    if not reached:
        return predicted
    shift = fmean(predicted[c] - r for c, r in reached.items())
    scores = {c: s for c, s in predicted.items() if c.name != "gaussian"}
    return scores | {c: (1 - _SAY) * predicted[c] + _SAY * (r + shift) for c, r in reached.items()}


def choose(scores: dict[Candidate, float]) -> Candidate:
    """A bandwidth within those that are as good as the best, or an encoding that is clearly better.

    A quarter of the way from the smallest of those bandwidths: less of it is safer between the samples,
    and scale models fit a little better with large ones than what they stand for.

    Raises:
        NumericalError: Nothing is known of any encoding.
    """
    if not any(map(isfinite, scores.values())) and inf not in scores.values():
        raise NumericalError(
            "No encoding has a prediction that is a number. Take a smaller learning rate."
        )
    scores = {c: s for c, s in scores.items() if not isnan(s)}
    gaussians = _gaussians(scores)
    best = max(scores, key=lambda c: scores[c])
    if not gaussians or scores[best] > max(gaussians.values()) + FLAT:
        return best
    top = max(gaussians.values())
    near = {c: log(c.bandwidth or 1) for c, s in gaussians.items() if s >= top - FLAT}
    low, high = min(near.values()), max(near.values())
    wanted = low + (high - low) * _PLACE
    return min(near, key=lambda c: abs(near[c] - wanted))


def flat_range(scores: dict[Candidate, float]) -> tuple[float, float] | None:
    """Smallest and largest Gaussian bandwidth within 0.3 dB of the best.

    None where another encoding is recommended: then no bandwidth is as good.
    """
    gaussians = {c.bandwidth or 0.0: s for c, s in _gaussians(scores).items()}
    if choose(scores).name != "gaussian":
        return None
    top = max(s for s in gaussians.values() if not isnan(s))
    within = [bandwidth for bandwidth, score in gaussians.items() if score >= top - FLAT]
    return min(within), max(within)
