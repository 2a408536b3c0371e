"""What training leaves, between the samples, of a network's random initial function."""

import torch

from ntkit.encodings import AbstractFourier
from ntkit.grids import Grid
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.lattice import is_lattice, trimmed
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.problems import PeriodicProblem
from ntkit.tuning.result import TuneResult

__all__ = ["initial_error"]


def initial_error(result: TuneResult, task: AbstractTask) -> float | None:
    """Mean square, over the held-out samples, of what is left there of the initial function.

    Training treats the initial function as one more signal, to be unlearned. This part is in the
    error measured, and not in the one predicted; `ntkit.networks.symmetrise` removes it.

    Args:
        result: A recommendation for `task`.
        task: What it was made for.

    Returns:
        The mean square after the budget; None if the recommended encoding has no periodic kernel,
        or the held-out samples do not lie between every other one.

    Cost: a forward pass of the network over the whole grid, and FFTs.

    Example:
        >>> from ntkit import tasks, tune
        >>> x = torch.linspace(0, 1, 129)[:-1]
        >>> wave = tasks.Signal(0.5 + 0.4 * torch.sin(8 * torch.pi * x))
        >>> found = tune(wave, steps=100, bandwidths=[4.0], encodings=["gaussian"], pilot=False)
        >>> 0 < initial_error(found, wave) < 0.1
        True
    """
    if not isinstance(task, AbstractSamples):
        return None
    network, encoding = result.plan.build(result.choice)
    if not (isinstance(encoding, AbstractFourier) and is_lattice(task) and task.judges):
        return None
    encoding.frequencies.copy_(encoding.frequencies.round())
    even = trimmed(task)
    shape = tuple(even.shape[:-1])
    with torch.no_grad():
        start = network(Grid(shape).points().float()).double().reshape(*shape, -1)
    optimiser = optimiser_of(result.budget)
    optimiser.align(encoding, task)
    speed = result.clock.speed if result.clock else 1.0
    modes = PeriodicProblem(network, even).modes
    (run,) = optimiser.trajectories([modes], [result.budget.steps], speed=speed)
    return float(PeriodicProblem(network, start).held_out_error(run)[0])
