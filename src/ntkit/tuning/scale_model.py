"""What scale models (`ntkit.tuning.trials`) reach with each bandwidth, on eight pieces or on half of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import fmean

from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import AbstractMetric, psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.parts import parts_of
from ntkit.tuning.pieces import PIECES
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.trials import Trial, trials

__all__ = ["EVERY", "FIRST_HALF", "SECOND_HALF", "ScaleModel", "joined", "scale_models"]

SCALE = 6
"""Width and frequencies are smaller by this; parameters, samples and batches by its square."""

EVERY, FIRST_HALF, SECOND_HALF = range(PIECES), range(0, PIECES, 2), range(1, PIECES, 2)
"""Pieces of all degrees of roughness, by their place in the ranking."""

_LONGEST = 5000  # steps: models of longer budgets would take minutes
_NARROWEST = 8  # units of a model


@dataclass(frozen=True)
class ScaleModel:
    """What the scale models of one candidate reached, over the pieces of the signal.

    Attributes:
        candidate: Encoding and bandwidth.
        train: PSNR on the training samples of the pieces, dB.
        held_out: PSNR on their held-out samples, dB.
    """

    candidate: Candidate
    train: float
    held_out: float


def scale_models(
    task: AbstractSamples,
    budget: Budget,
    tried: Sequence[Candidate],
    *,
    plan: NetworkPlan,
    pieces: Sequence[int] = EVERY,
    on_step: Callable[[float], None] | None = None,
) -> tuple[ScaleModel, ...]:
    """Train models of all candidates at once, for the steps of the budget.

    Args:
        task: What is fitted; models see pieces of it, eight evenly through the ranking by roughness.
        budget: What is asked about, with Adam.
        tried: Fourier encodings.
        plan: The network that is asked about. Models have its seed, for the other pieces the next ones, so that
            the draw of a few frequencies counts less; the same for all candidates.
        pieces: Which of the eight pieces.
        on_step: Called after each step with the share of the steps that are taken.

    Returns:
        One a candidate; nothing where a model would say nothing (a piece of fewer than 64 training
        samples, fewer than 8 units) or the budget is longer than 5,000 steps.

    Cost: for a candidate and piece `SCALE^-4` (1/1,296) of the multiplications of its training in full.
    """
    if plan.width < _NARROWEST * SCALE or budget.steps > _LONGEST:
        return ()
    parts = parts_of(task, SCALE**2, pieces)
    if parts is None:
        return ()
    found = trials(task, parts, budget, tried, plan=plan, scale=SCALE, on_step=on_step)
    return tuple(_pooled(trial, task.metric, budget.steps) for trial in found)


def _pooled(trial: Trial, metric: AbstractMetric, steps: int) -> ScaleModel:
    """Over all pieces as if they were one."""
    errors = [metric.error(kind[steps].sum(0)) for kind in (trial.train, trial.held_out)]
    train, held_out = (metric.quality(e) if isfinite(e) else -inf for e in errors)
    return ScaleModel(trial.candidate, train, held_out)


def joined(first: Sequence[ScaleModel], second: Sequence[ScaleModel]) -> tuple[ScaleModel, ...]:
    """Models of two halves of the pieces, the second of some candidates only, as of all pieces.

    The others stand where their distance from those, in the mean, was on the first half.
    """
    more = {m.candidate: m for m in second}
    whole: dict[Candidate, ScaleModel] = {}
    gains: list[tuple[float, float]] = []
    for m in first:
        if n := more.get(m.candidate):
            of_all = _mean(m.train, n.train), _mean(m.held_out, n.held_out)
            whole[m.candidate] = ScaleModel(m.candidate, *of_all)
            if all(map(isfinite, (*of_all, m.train, m.held_out))):
                gains.append((of_all[0] - m.train, of_all[1] - m.held_out))
    train, held_out = (fmean(g[k] for g in gains) if gains else 0.0 for k in range(2))
    return tuple(
        whole.get(m.candidate, ScaleModel(m.candidate, m.train + train, m.held_out + held_out))
        for m in first
    )


def _mean(a: float, b: float) -> float:
    """PSNR of the mean of the errors."""
    return psnr((10 ** (-a / 10) + 10 ** (-b / 10)) / 2)
