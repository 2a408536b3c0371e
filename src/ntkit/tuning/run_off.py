"""A run-off: the two best families are trained for real, for a while, where scale models cannot tell them apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, isnan

import torch
from torch import nn

from ntkit._core.errors import NumericalError
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.divergence import refuse_nonsense
from ntkit.tasks.trainer import Trainer
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Goal
from ntkit.tuning.comparison import Lead
from ntkit.tuning.pieces import HELD_OUT
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction

__all__ = [
    "Contender",
    "RunOff",
    "counted",
    "is_near",
    "judging",
    "ran_off",
    "share_of",
    "trained_briefly",
]

_SHARE = 8  # of the steps one in so many: too few to choose a bandwidth by, enough between families (`family_choice`)
_NEAR = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class Contender:
    """A network of a run-off, and its training.

    Attributes:
        candidate: The family and the bandwidth.
        task: What it is trained on and judged by.
        plan: How it is built.
        budget: Its own rate, and an eighth of its steps.

    Example:
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(torch.sin(torch.arange(64.0) / 5))
        >>> one = Contender(Candidate("siren", 4.0), wave, NetworkPlan(1, 1, width=16, depth=1), Budget(steps=20))
        >>> one.network(wave.points()[:3].float()).shape
        torch.Size([3, 1])
    """

    candidate: Candidate
    task: AbstractTask
    plan: NetworkPlan
    budget: Budget

    @property
    def network(self) -> nn.Module:
        """The network, not trained: with the weights that its training in full begins with."""
        return self.plan.trainable(self.candidate)


RunOff = Callable[[Contender], Evaluation]
"""Trains a network of a run-off, and says what it reached at the last step. Divergence is a `NumericalError`.

Example:
    >>> from functools import partial
    >>> on_one_device: RunOff = partial(trained_briefly, device="cpu")
"""


def trained_briefly(contender: Contender, *, device: str | torch.device = "cpu") -> Evaluation:
    """What a network reaches in its steps, by the better of its weights and their average.

    Args:
        contender: The network, and its training.
        device: Where it is trained.

    A training that diverges is a `NumericalError`.

    Example:
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
        >>> plan, budget = NetworkPlan(1, 1, width=16, depth=1), Budget("adam", 1e-2, 50)
        >>> plain, basic = (
        ...     trained_briefly(Contender(Candidate(name), wave, plan, budget)) for name in ("identity", "basic")
        ... )
        >>> basic.held_out < plain.held_out
        True
    """
    trainer = Trainer(
        contender.network.to(device),
        contender.task,
        contender.budget,
        average=contender.budget.averages,
        generator=torch.Generator().manual_seed(contender.plan.seed),
    )
    trainer.run()
    refuse_nonsense(trainer.evaluations[-1], contender.task)
    return trainer.evaluations[-1]


def is_near(behind: Lead) -> bool:
    """Whether models set two families so little apart that a run-off decides: by less than two standard errors."""
    return behind.gain < inf and behind.gain <= _NEAR * behind.noise


def share_of(steps: int) -> int:
    """The steps of a run-off: an eighth, 1 at least."""
    return max(1, steps // _SHARE)


def judging(task: AbstractTask, goal: Goal) -> AbstractTask | None:
    """The task, with something held out where that counts: a tenth, where it holds out nothing itself; None if it cannot."""
    if goal == "fit" or task.judges:
        return task
    try:
        other = task.keep_out(HELD_OUT)
    except ValueError:  # of two views none can be spared
        return None
    return other if other.judges else None


def counted(reached: Prediction, goal: Goal) -> float:
    """What counts of it."""
    return reached.held_out if goal == "generalise" else reached.train


def ran_off(contenders: Sequence[Contender], train: RunOff) -> tuple[Prediction, ...]:
    """What each reached, in the unit of the metric; infinitely little where it diverged.

    Args:
        contenders: Networks to be trained.
        train: Trains one.
    """
    return tuple(_reached(one, train) for one in contenders)


def _reached(one: Contender, train: RunOff) -> Prediction:
    """What one reached; NaN, which no number is greater than, is divergence as well.

    Raises:
        TypeError: What trains it says no `Evaluation`.
    """
    steps, quality = one.budget.steps, one.task.metric.quality
    try:
        end: object = train(one)
    except NumericalError:
        return Prediction(steps, -inf, -inf)
    if not isinstance(end, Evaluation):
        raise TypeError(
            f"`run_off` returned {end!r}, of type {type(end).__name__}. It must return the `ntkit.tasks.Evaluation` "
            "of the last step, as `ntkit.tuning.trained_briefly` does."
        )
    if not end.is_finite or (one.task.judges and isnan(end.held_out)):
        return Prediction(steps, -inf, -inf)
    return Prediction(steps, quality(end.train), quality(end.held_out))
