"""What tuning must know of an optimiser."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from torch import nn

from ntkit.dynamics.modes import Modes, Trajectory
from ntkit.encodings import AbstractFourier
from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.optimisers.clock import Clock

__all__ = ["AbstractOptimiser", "Engine"]

Engine = Literal["auto", "periodic", "exact"]


class AbstractOptimiser(ABC):
    """An optimiser with its learning rate, steps and batches.

    Attributes:
        budget: These.
        follows_kernel: Whether training is the kernel's own flow. Where not, short real trainings have a
            say in the choice as well.
    """

    follows_kernel: bool

    def __init__(self, budget: Budget) -> None:
        self.budget = budget

    @abstractmethod
    def trajectories(
        self, modes: Sequence[Modes], steps: Sequence[float], *, speed: float = 1.0
    ) -> list[Trajectory]:
        """What each problem's modes do by `steps` (ascending; infinity is the end of training)."""

    @abstractmethod
    def exact_times(
        self, modes: Modes, steps: Sequence[float], *, n_samples: int, n_outputs: int, speed: float
    ) -> list[float]:
        """Gradient-flow times of the exact engine, for the steps in `steps` that are finite.

        Args:
            modes: The problem in the periodic engine.
            steps: Steps of the budget's optimiser.
            n_samples: Training samples.
            n_outputs: Outputs.
            speed: Of the clock.
        """

    @abstractmethod
    def engine(self, n_samples: int) -> tuple[Engine, str]:
        """The engine that "auto" stands for with so many samples in all, and why."""

    @abstractmethod
    def exact_note(self) -> str | None:
        """What the exact engine assumes."""

    def align(self, encoding: AbstractFourier, task: AbstractSamples) -> None:
        """Change the amplitudes of an encoding to what training makes of them; the kernel's flow leaves them."""
        del encoding, task

    def default_clock(self, n_samples: int) -> Clock | None:
        """How fast it runs, where nothing was measured; None where the time is exact."""
        del n_samples

    def measured_clock(
        self, network: nn.Module, task: AbstractSamples, modes: Modes, *, encoding: str, seed: int
    ) -> Clock | None:
        """How fast it runs, by a short training of `network`; None where the time is exact."""
        del network, task, modes, encoding, seed

    def stability_note(self, modes: Modes) -> str | None:
        """A note where training may diverge."""
        del modes
