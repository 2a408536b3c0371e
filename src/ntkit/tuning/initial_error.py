"""What training leaves, between the samples, of a network's random initial function."""

import torch

from ntkit.encodings import AbstractFourier
from ntkit.grids import Grid
from ntkit.tasks.signals import Signal
from ntkit.tuning.alignment import align
from ntkit.tuning.predict import trajectories
from ntkit.tuning.problems import PeriodicProblem
from ntkit.tuning.tune import TuneResult, build_network

__all__ = ["initial_error"]


def initial_error(result: TuneResult, signal: Signal) -> float | None:
    """Mean square, over the held-out samples, of what is left there of the initial function.

    Training treats the initial function as one more signal, to be unlearned. This part is in the
    error measured, and not in the one predicted; `ntkit.networks.symmetrise` removes it.

    Args:
        result: A recommendation for `signal`.
        signal: The signal.

    Returns:
        The mean square after the budget; None if the recommended encoding has no periodic kernel.

    Cost: a forward pass of the network over the whole grid, and FFTs.

    Example:
        >>> from ntkit.tuning import tune
        >>> x = torch.linspace(0, 1, 129)[:-1]
        >>> wave = Signal(0.5 + 0.4 * torch.sin(8 * torch.pi * x))
        >>> found = tune(wave, steps=100, bandwidths=[4.0], encodings=["gaussian"], pilot=False)
        >>> 0 < initial_error(found, wave) < 0.1
        True
    """
    network = build_network(result, result.choice, len(signal.shape), signal.n_outputs)
    encoding = network[0]
    if not isinstance(encoding, AbstractFourier):
        return None
    encoding.frequencies.copy_(encoding.frequencies.round())
    even = signal.even_part()
    shape = tuple(even.shape[:-1])
    with torch.no_grad():
        start = network(Grid(shape).points().float()).double().reshape(*shape, -1)
    align(encoding, signal, result.budget)
    speed = result.clock.speed if result.clock else 1.0
    modes = PeriodicProblem(network, even).modes
    (run,) = trajectories([modes], result.budget, [result.budget.steps], speed=speed)
    return float(PeriodicProblem(network, start).held_out_error(run.weights)[0])
