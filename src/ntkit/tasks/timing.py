"""How many steps of a training fit into a time."""

from time import perf_counter

from torch import nn

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.trainer import Trainer

__all__ = ["steps_within"]

_TIMED, _WARM = 20, 3


def steps_within(seconds: float, network: nn.Module, task: AbstractTask, budget: Budget) -> int:
    """Steps of a training that take about so many seconds, by timing some; 1 at least.

    Args:
        seconds: The time.
        network: A network like the one to be trained; it is changed.
        task: What it is trained on.
        budget: Its optimiser, rate and batches; its steps do not matter.
    """
    trial = Trainer(network, task, budget.with_steps(_TIMED + _WARM), average=budget.averages)
    times: list[float] = []
    trial.run(evaluate_at=(), on_step=lambda *_: times.append(perf_counter()))
    return max(1, int(seconds * _TIMED / (times[-1] - times[_WARM - 1])))
