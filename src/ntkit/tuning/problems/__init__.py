"""A task and an encoding as a training problem: modes to train, held-out points to judge; one class a file."""

from torch import nn

from ntkit.encodings import AbstractFourier
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.lattice import is_lattice, trimmed
from ntkit.tuning.problems.base import AbstractProblem
from ntkit.tuning.problems.low_rank import LowRankProblem
from ntkit.tuning.problems.periodic import PeriodicProblem
from ntkit.tuning.problems.tiled import TiledProblem

__all__ = [
    "AbstractProblem",
    "LowRankProblem",
    "PeriodicProblem",
    "TiledProblem",
    "problem_of",
]


def problem_of(network: nn.Module, encoding: nn.Module, task: AbstractSamples) -> AbstractProblem:
    """The problem of a network whose first layer is `encoding`, by what fits the samples.

    Fourier features on a lattice: one FFT, for which `encoding` has whole cycles. Fourier features elsewhere:
    dense tiles. Anything else: the kernel's largest modes.
    """
    if not isinstance(encoding, AbstractFourier) or not encoding.is_stationary:
        return LowRankProblem(network, task)
    if is_lattice(task):
        return PeriodicProblem(network, trimmed(task), (task.measurement.steps or (1,))[0])
    return TiledProblem(network, task)
