"""PSNR of a candidate at several budgets, from the kernel alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.modes import Trajectory
from ntkit.kernels.infinite import ntk
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.problems import AbstractProblem

__all__ = ["Prediction", "exact_predictions", "mode_predictions"]


@dataclass(frozen=True)
class Prediction:
    """Predicted quality after some steps.

    Attributes:
        steps: Steps of the budget's optimiser; infinity for the end of training.
        train: PSNR on the training samples, dB.
        held_out: PSNR on the held-out samples, dB.

    Example:
        >>> import torch, ntkit
        >>> wave = ntkit.tasks.Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
        >>> plan, budget = ntkit.tuning.NetworkPlan(1, 1), ntkit.tasks.Budget(steps=100)
        >>> [rung] = ntkit.tuning.sweep(wave, [4.0], budget=budget, plan=plan)
        >>> early, late = rung.row.at(20), rung.row.at(100)
        >>> early.held_out < late.held_out < late.train  # dB; more training, and what was seen is known best
        True
    """

    steps: float
    train: float
    held_out: float


def mode_predictions(
    problem: AbstractProblem, run: Trajectory, steps: Sequence[float]
) -> list[Prediction]:
    """Errors of a trajectory, in the problem's own basis."""
    fitted = problem.modes.error(run.decay)
    held_out = problem.held_out_error(run)
    return [
        Prediction(s, psnr(float(a)), psnr(float(b)))
        for s, a, b in zip(steps, fitted, held_out, strict=True)
    ]


def exact_predictions(
    network: nn.Module,
    task: AbstractSamples,
    times: Sequence[float],
    steps: Sequence[float],
    *,
    on_step: Callable[[], None] | None = None,
) -> list[Prediction]:
    """Errors by the exact grid engine at gradient-flow `times`, one for each of `steps`."""
    grid, cut = task.grid, task.measurement.lattice
    assert grid is not None, "the exact engine is of grids"
    assert cut is not None, "the exact engine is of sub-grids"
    flow = GradientFlow(
        ntk(network, variances="default"),
        grid[cut],
        task.values[cut],
        dtype=torch.float32,
        on_step=on_step,
    )
    predicted = flow.predict(grid, times)
    errors = [task.errors(p) for p in predicted]
    return [Prediction(s, psnr(a), psnr(b)) for s, (a, b) in zip(steps, errors, strict=True)]
