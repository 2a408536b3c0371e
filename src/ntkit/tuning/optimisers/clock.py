"""A clock for Adam: how fast the real network runs, measured by one short run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10
from statistics import mean

import torch
from torch import nn

from ntkit.dynamics.modes import Modes
from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.training import train
from ntkit.tuning.optimisers.adam_flow import adam_trajectories

__all__ = ["Clock", "calibrate", "pilot_of", "theory_clock"]

_DEFAULT = (4.6, 4096)  # a speed, and the batches that it holds for; fitted: see `docs/tuning.md`
_BY_BATCH = 0.4  # the speed grows with this power of the batch size
_PILOT_STEPS = 100  # of the short run; with its batch 1/320 of 2,000 steps of 4,096
_PILOT_BATCH = 256  # samples; what larger batches change, `_BY_BATCH` says
_FEWEST = 10  # steps of a run that says something
_RANGE = (0.2, 12.0)  # of speeds
_AT_ONCE = 10  # speeds tried together; the next ten are between two of them


@dataclass(frozen=True)
class Clock:
    """A calibration, not theory: how much faster the network runs than Adam's flow of its kernel.

    Attributes:
        speed: Factor on Adam's learning rate in function space.
        fitted: The factor at which the prediction has the short run's error at its end. `speed` is
            this for the batches of the budget: larger ones run faster than Adam's flow says, by
            their size to the power 0.4.
        pilot: The short run that measured it, or None for the default.
        encoding: What the short run trained.
        measured: Its training PSNR at its end, dB.
        predicted: The prediction for that moment at the default speed, dB.
        error: Prediction at `fitted` less measurement half-way through the short run, dB: how well one
            number fits a whole curve.

    Example:
        >>> Clock(speed=3.0).speed
        3.0
    """

    speed: float
    fitted: float = float("nan")
    pilot: Budget | None = None
    encoding: str = ""
    measured: float = float("nan")
    predicted: float = float("nan")
    error: float = float("nan")


def theory_clock(budget: Budget, n_samples: int) -> Clock:
    """The default speed for the batches of a budget, without a run."""
    speed, batch = _DEFAULT
    return Clock(speed * (min(budget.batch_size, n_samples) / batch) ** _BY_BATCH)


def pilot_of(budget: Budget) -> Budget:
    """The short run for a budget: 100 steps of 256 samples, 1/320 of 2,000 steps of 4,096."""
    return replace(
        budget,
        steps=min(_PILOT_STEPS, budget.steps),
        batch_size=min(_PILOT_BATCH, budget.batch_size),
    )


def calibrate(
    network: nn.Module,
    task: AbstractSamples,
    modes: Modes,
    budget: Budget,
    *,
    encoding: str,
    generator: torch.Generator | None = None,
) -> Clock:
    """Train `network` for a moment and find the speed at which the prediction agrees.

    Args:
        network: A fresh copy of what is tuned; it is changed.
        task: What is tuned for.
        modes: What its training is predicted with.
        budget: What is tuned for; the short run has its optimiser and learning rate.
        encoding: The encoding's name, for the report.
        generator: Source of the batches.

    Returns:
        The clock; the default where the budget has fewer than ten steps, which say nothing.
    """
    pilot = pilot_of(budget)
    if pilot.steps < _FEWEST:
        return theory_clock(budget, modes.n_samples)
    losses: list[float] = []
    train(
        network,
        task,
        pilot,
        evaluate_at=(),
        generator=generator,
        on_step=lambda _, loss: losses.append(loss),
    )
    end, half = pilot.steps, pilot.steps // 2

    def measured(step: int) -> float:
        return psnr(mean(losses[k] for k in _window(step, pilot.steps)))

    def predicted(speeds: Sequence[float], *steps: int) -> list[list[float]]:
        """Of the same losses, for each speed at each of the steps: a loss is the error before its step."""
        windows = [_window(step, pilot.steps) for step in steps]
        runs = adam_trajectories(
            [modes] * len(speeds),
            [k for window in windows for k in window],
            lr=pilot.lr,
            batch_size=pilot.batch_size,
            speed=speeds,
        )
        errors = [modes.error(run.decay).reshape(len(steps), -1).mean(1) for run in runs]
        return [[psnr(float(e)) for e in each] for each in errors]

    wanted = measured(end)

    def bracket(low: float, high: float) -> list[tuple[float, float]]:
        """Two of some speeds between these, and what they reach: the wanted is in between."""
        speeds = torch.logspace(log10(low), log10(high), _AT_ONCE, dtype=torch.float64).tolist()
        reached = [p for (p,) in predicted(speeds, end)]
        above = next((i for i, p in enumerate(reached) if not p < wanted), _AT_ONCE - 1)
        return [(speeds[i], reached[i]) for i in (max(above - 1, 0), above)]

    (low, _), (high, _) = bracket(*_RANGE)
    (low, at_low), (high, at_high) = bracket(low, high)
    share = min((wanted - at_low) / (at_high - at_low), 1.0) if at_high > at_low else 0.0
    fitted = low * (high / low) ** share
    (_, before), (half_way, _) = predicted(
        [theory_clock(pilot, modes.n_samples).speed, fitted], half, end
    )
    larger = min(budget.batch_size, modes.n_samples) / min(pilot.batch_size, modes.n_samples)
    return Clock(
        speed=fitted * larger**_BY_BATCH,
        fitted=fitted,
        pilot=pilot,
        encoding=encoding,
        measured=wanted,
        predicted=before,
        error=half_way - measured(half),
    )


def _window(step: int, steps: int) -> range:
    """Steps taken before each loss of the tenth of a run that ends with `step`."""
    return range(step - steps // 10, step)
