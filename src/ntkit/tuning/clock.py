"""A clock for Adam: how fast the real network runs, measured by one short run."""

from dataclasses import dataclass, replace
from math import exp, log

import torch
from torch import nn

from ntkit.dynamics.adam import adam_trajectories
from ntkit.dynamics.modes import Modes
from ntkit.tasks.signals import Signal, psnr
from ntkit.tasks.training import Budget, train

__all__ = ["DEFAULT_SPEED", "Clock", "calibrate", "pilot_of", "theory_clock"]

DEFAULT_SPEED = 2.0
"""Speed before any run, for minibatches of 4,096; see `benchmarks/adam_curves`."""

_PILOT_STEPS = 100
_PILOT_BATCH = 256
_RANGE = (0.2, 12.0)
_BY_BATCH = 0.3  # the speed grows with this power of the batch size


@dataclass(frozen=True)
class Clock:
    """A calibration, not theory: how much faster the network runs than its kernel at the start.

    Attributes:
        speed: Factor on Adam's learning rate in function space.
        fitted: The factor at which the prediction has the short run's error at its end. `speed` is
            this for the batches of the budget: larger ones run faster than Adam's flow says, by
            their size to the power 0.3.
        pilot: The short run that measured it, or None for the default.
        encoding: What the short run trained.
        measured: Its training PSNR at its end, dB.
        predicted: The prediction for that moment at the default speed, dB.
        error: Prediction at `fitted` less measurement half-way through the short run, dB: how well one
            number fits a whole curve.
    """

    speed: float
    fitted: float = DEFAULT_SPEED
    pilot: Budget | None = None
    encoding: str = ""
    measured: float = float("nan")
    predicted: float = float("nan")
    error: float = float("nan")


def theory_clock() -> Clock:
    """The default speed, without a run."""
    return Clock(DEFAULT_SPEED)


def pilot_of(budget: Budget) -> Budget:
    """The short run for a budget: 100 steps of 256 samples, 1/320 of 2,000 steps of 4,096."""
    return replace(
        budget,
        steps=min(_PILOT_STEPS, budget.steps),
        batch_size=min(_PILOT_BATCH, budget.batch_size),
    )


def calibrate(
    network: nn.Module,
    signal: Signal,
    modes: Modes,
    budget: Budget,
    *,
    encoding: str,
    generator: torch.Generator | None = None,
) -> Clock:
    """Train `network` for a moment and find the speed at which the prediction agrees.

    Args:
        network: A fresh copy of what is tuned; it is changed.
        signal: The signal.
        modes: The same network's kernel on the training samples.
        budget: What is tuned for; the short run has its optimiser and learning rate.
        encoding: The encoding's name, for the report.
        generator: Source of the batches.
    """
    pilot = pilot_of(budget)
    losses: list[float] = []
    train(
        network,
        signal,
        pilot,
        checkpoints=(),
        generator=generator,
        on_step=lambda _, loss: losses.append(loss),
    )
    end, middle = _level(losses, pilot.steps), _level(losses, pilot.steps // 2)

    def predicted(speed: float, step: int) -> float:
        run = adam_trajectories(
            [modes], [max(1, step)], lr=pilot.lr, batch_size=pilot.batch_size, speed=speed
        )
        return psnr(float(modes.error(run[0].decay)[0]))

    low, high = map(log, _RANGE)
    for _ in range(12):
        centre = (low + high) / 2
        low, high = (centre, high) if predicted(exp(centre), pilot.steps) < end else (low, centre)
    fitted = exp((low + high) / 2)
    larger = min(budget.batch_size, modes.n_samples) / min(pilot.batch_size, modes.n_samples)
    return Clock(
        speed=fitted * larger**_BY_BATCH,
        fitted=fitted,
        pilot=pilot,
        encoding=encoding,
        measured=end,
        predicted=predicted(DEFAULT_SPEED, pilot.steps),
        error=predicted(fitted, pilot.steps // 2) - middle,
    )


def _level(losses: list[float], step: int) -> float:
    """Training PSNR about a step: the mean of the batch losses over the tenth before it."""
    window = losses[max(0, step - max(1, len(losses) // 10)) : max(1, step)]
    return psnr(sum(window) / len(window))
