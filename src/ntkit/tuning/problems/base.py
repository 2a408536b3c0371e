"""What a problem is: modes to train, and held-out points to judge."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.modes import Modes, Trajectory

__all__ = ["AbstractProblem"]


class AbstractProblem(ABC):
    """A network to be trained on the training samples of a task.

    Attributes:
        modes: The training points.
        note: What was approximated, in words; None if nothing.
    """

    modes: Modes
    note: str | None = None

    @abstractmethod
    def held_out_error(self, run: Trajectory) -> Float[Tensor, " s"]:
        """Mean square error between the training samples, at the moments of a trajectory of `modes`."""
