"""How many steps of a training fit into a time."""

from itertools import pairwise
from time import perf_counter

from torch import nn

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.trainer import Trainer

__all__ = ["seconds_a_step", "steps_within"]

_TIMED, _WARM = 20, 3
"""Steps that are timed, after some in which caches and threads start."""

_FEW = 8
"""Steps of which the quickest counts."""


def seconds_a_step(network: nn.Module, task: AbstractTask, budget: Budget) -> float:
    """Of a training: the quickest of eight steps, so that what else the machine does counts least.

    Args:
        network: A network like the one to be trained; it is changed.
        task: What it is trained on.
        budget: Its optimiser, rate and batches; its steps do not matter.
    """
    times = _stamps(network, task, budget, _FEW + _WARM)[_WARM - 1 :]
    return min(b - a for a, b in pairwise(times))


def steps_within(seconds: float, network: nn.Module, task: AbstractTask, budget: Budget) -> int:
    """Steps of a training that take about so many seconds, by timing some; 1 at least.

    Args:
        seconds: The time.
        network: A network like the one to be trained; it is changed.
        task: What it is trained on.
        budget: Its optimiser, rate and batches; its steps do not matter.
    """
    times = _stamps(network, task, budget, _TIMED + _WARM)
    return max(1, int(seconds * _TIMED / (times[-1] - times[_WARM - 1])))


def _stamps(network: nn.Module, task: AbstractTask, budget: Budget, steps: int) -> list[float]:
    """When each step ended."""
    times: list[float] = []
    trial = Trainer(network, task, budget.with_steps(steps), average=budget.averages)
    trial.run(evaluate_at=(), on_step=lambda *_: times.append(perf_counter()))
    return times
