"""PSNR of a candidate at several budgets, from the kernel alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.adam import adam_trajectories
from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.modes import Modes, Trajectory, flow_trajectory
from ntkit.dynamics.training_time import training_time
from ntkit.kernels.infinite import ntk
from ntkit.tasks.budget import Budget
from ntkit.tasks.signals import Signal, psnr
from ntkit.tuning.problems import AbstractProblem

__all__ = [
    "Prediction",
    "exact_predictions",
    "longest_time",
    "matching_times",
    "mode_predictions",
    "sgd_times",
    "trajectories",
]

_SETTLED = 1e-8  # of the first error: what training longer still gains is seen nowhere
_LONGEST = 1e8  # in units of the fastest mode's time: the cost grows with the root of it


@dataclass(frozen=True)
class Prediction:
    """Predicted quality after some steps.

    Attributes:
        steps: Steps of the budget's optimiser; infinity for the end of training.
        train: PSNR on the training samples, dB.
        held_out: PSNR on the held-out samples, dB.
    """

    steps: float
    train: float
    held_out: float


def trajectories(
    modes: Sequence[Modes], budget: Budget, steps: Sequence[float], *, speed: float
) -> list[Trajectory]:
    """What each problem's modes do by `steps` (ascending): Adam's flow, or exact gradient flow."""
    if budget.optimiser == "sgd":
        return [
            flow_trajectory(
                m, sgd_times(budget, steps, n_samples=m.n_samples, n_outputs=m.n_outputs)
            )
            for m in modes
        ]
    finite = [int(s) for s in steps if s < inf]
    found: list[Trajectory] = []
    groups: dict[int, list[int]] = {}
    for i, m in enumerate(modes):
        groups.setdefault(len(m.diagonal), []).append(i)
    by_index: dict[int, Trajectory] = {}
    for indices in groups.values():
        runs = adam_trajectories(
            [modes[i] for i in indices],
            finite,
            lr=budget.lr,
            batch_size=budget.batch_size,
            speed=speed,
        )
        by_index.update(zip(indices, runs, strict=True))
    for i, m in enumerate(modes):
        run = by_index[i]
        if len(finite) < len(steps):
            end = flow_trajectory(m, [inf])
            run = Trajectory(
                torch.cat([run.decay, end.decay]), torch.cat([run.weights, end.weights])
            )
        found.append(run)
    return found


def mode_predictions(
    problem: AbstractProblem, run: Trajectory, steps: Sequence[float]
) -> list[Prediction]:
    """Errors of a trajectory, in the problem's own basis."""
    fitted = problem.modes.error(run.decay)
    held_out = problem.held_out_error(run.weights)
    return [
        Prediction(s, psnr(float(a)), psnr(float(b)))
        for s, a, b in zip(steps, fitted, held_out, strict=True)
    ]


def exact_predictions(
    network: nn.Module,
    signal: Signal,
    times: Sequence[float],
    steps: Sequence[float],
    *,
    on_step: Callable[[], None] | None = None,
) -> list[Prediction]:
    """Errors by the exact grid engine at gradient-flow `times`, one for each of `steps`."""
    flow = GradientFlow(
        ntk(network, variances="default"),
        signal.grid[signal.train_cut],
        signal.values[signal.train_cut],
        dtype=torch.float32,
        on_step=on_step,
    )
    predicted = flow.predict(signal.grid, times)
    errors = [signal.errors(p) for p in predicted]
    return [Prediction(s, psnr(a), psnr(b)) for s, (a, b) in zip(steps, errors, strict=True)]


def sgd_times(
    budget: Budget, steps: Sequence[float], *, n_samples: int, n_outputs: int
) -> list[float]:
    """Gradient-flow times of so many steps of SGD on the mean square; infinity stays infinity."""
    loss = nn.MSELoss()
    return [
        s
        if s == inf
        else training_time(budget.lr, s, loss, n_samples=n_samples, n_outputs=n_outputs)
        for s in steps
    ]


def longest_time(modes: Modes) -> float:
    """Beyond this gradient-flow time the exact engine is not asked: its cost would have no end."""
    return _LONGEST / float(modes.eigenvalues.sum(0).max())


def matching_times(modes: Modes, decay: Float[Tensor, "s k"]) -> list[float]:
    """Gradient-flow times at which plain descent has the training error of each `decay`.

    By bisection on the logarithm of the time: the training error falls monotonically. Errors below
    1e-8 of the first are taken for that, and no time exceeds `longest_time`.
    """
    start = modes.error(torch.ones_like(modes.energy))
    wanted = modes.error(decay).clamp_min(_SETTLED * float(start))
    longest = longest_time(modes)
    found = []
    for error in wanted:
        low, high = -16.0, 0.0
        for _ in range(50):
            centre = (low + high) / 2
            reached = modes.error(flow_trajectory(modes, [longest * 10**centre]).decay)[0]
            low, high = (low, centre) if reached <= error else (centre, high)
        found.append(longest * 10**high)
    return found
