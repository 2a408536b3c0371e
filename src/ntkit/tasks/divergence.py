"""Trainings whose numbers stayed finite, but that only made things worse."""

import torch

from ntkit._core.errors import NumericalError
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Evaluation

__all__ = ["refuse_nonsense"]


def refuse_nonsense(end: Evaluation, task: AbstractTask) -> None:
    """A training whose numbers stayed finite, but that only made things worse, diverged as well.

    A network that still says what lies within the values is no such: after few steps a dark scene is in a bright fog.

    Args:
        end: What it reached.
        task: What it was trained on.

    Raises:
        NumericalError: It ends with ten times the error of a network that says 0 everywhere, and with more than that of
            the smallest or the largest value everywhere.
    """
    true = task.training()[1]
    low, high = (torch.full_like(true, float(v)) for v in (true.min(), true.max()))
    nothing, *ends = (task.metric.error(task.metric.sums(t, true)) for t in (0 * true, low, high))
    if not (end.is_finite and end.train <= max(10 * nothing, *ends)):
        raise NumericalError(
            f"The training diverged: it ends with a {task.metric.error_name} of {end.train:.3g}, where that of "
            f"0 everywhere is {nothing:.3g}. Take a smaller learning rate."
        )
