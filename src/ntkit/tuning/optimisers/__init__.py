"""Optimisers: what each does to the modes of a kernel, and what must be measured for it; one class a file."""

from ntkit.tasks.budget import Budget
from ntkit.tuning.optimisers.adam import Adam
from ntkit.tuning.optimisers.base import AbstractOptimiser
from ntkit.tuning.optimisers.clock import Clock
from ntkit.tuning.optimisers.sgd import SGD

__all__ = ["SGD", "AbstractOptimiser", "Adam", "Clock", "optimiser_of"]

_OPTIMISERS: dict[str, type[AbstractOptimiser]] = {"adam": Adam, "sgd": SGD}


def optimiser_of(budget: Budget) -> AbstractOptimiser:
    """What the optimiser of a budget does."""
    return _OPTIMISERS[budget.optimiser](budget)
