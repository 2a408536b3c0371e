"""What scale models (`ntkit.tuning.trials`) reach with each bandwidth, on eight pieces of the signal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import AbstractMetric
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.parts import parts_of
from ntkit.tuning.pieces import PIECES
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.trials import LONGEST, CandidateTrial, trials

__all__ = ["ScaleModel", "scale_models"]

SCALE = 6
"""Width and frequencies are smaller by this; parameters, samples and batches by its square."""

_NARROWEST = 8  # units of a model


@dataclass(frozen=True)
class ScaleModel:
    """What the scale models of one candidate reached, over the pieces of the signal.

    Attributes:
        candidate: Encoding and bandwidth.
        train: PSNR on the training samples of the pieces, dB.
        held_out: PSNR on their held-out samples, dB.

    Example:
        >>> from ntkit.tuning import Candidate
        >>> ScaleModel(Candidate("gaussian", 8.0), train=30.0, held_out=25.0).held_out
        25.0
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
    on_step: Callable[[float], None] | None = None,
) -> tuple[ScaleModel, ...]:
    """Train models of all candidates at once, for the steps of the budget.

    Args:
        task: What is fitted; models see pieces of it, eight evenly through the ranking by roughness.
        budget: What is asked about, with Adam.
        tried: Fourier encodings.
        plan: The network that is asked about. Models have its seed, for the other pieces the next ones, so that
            the draw of a few frequencies counts less; the same for all candidates.
        on_step: Called after each step with the share of the steps that are taken.

    Returns:
        One a candidate; nothing where a model would say nothing (a piece of fewer than 64 training
        samples, fewer than 8 units) or the budget is longer than 5,000 steps.

    Cost: for a candidate and piece `SCALE^-4` (1/1,296) of the multiplications of its training in full.
    """
    if plan.width < _NARROWEST * SCALE or budget.steps > LONGEST:
        return ()
    parts = parts_of(task, SCALE**2, range(PIECES))
    if parts is None:
        return ()
    found = trials(task, parts, budget, tried, plan=plan, scale=SCALE, on_step=on_step)
    return tuple(_pooled(trial, task.metric, budget.steps) for trial in found)


def _pooled(trial: CandidateTrial, metric: AbstractMetric, steps: int) -> ScaleModel:
    """Over all pieces as if they were one."""
    errors = [metric.error(kind[steps].sum(0)) for kind in (trial.train, trial.held_out)]
    train, held_out = (metric.quality(e) if isfinite(e) else -inf for e in errors)
    return ScaleModel(trial.candidate, train, held_out)
