"""Gradient descent without momentum: gradient flow, at a time that is exact."""

from collections.abc import Sequence
from math import inf

from torch import nn

from ntkit._core.errors import NumericalError
from ntkit.dynamics.modes import Modes, Trajectory, flow_trajectory
from ntkit.dynamics.training_time import training_time
from ntkit.tuning.matching import longest_time
from ntkit.tuning.optimisers.base import AbstractOptimiser, Engine

__all__ = ["SGD"]

_EXACT_SAMPLES = 1024 * 1024  # of the whole field: beyond it the exact engine takes minutes
_HOPELESS = 10
"""Times the stability limit: up to some six, wide ReLU networks find a flatter place
(Lewkowycz et al. 2020, arXiv:2003.02218)."""


class SGD(AbstractOptimiser):
    """Every layer moves by its kernel, at the time of `ntkit.training_time`."""

    follows_kernel = True

    def trajectories(
        self, modes: Sequence[Modes], steps: Sequence[float], *, speed: float = 1.0
    ) -> list[Trajectory]:
        """Exact gradient flow; its time has no `speed`."""
        del speed
        return [
            flow_trajectory(m, self.times(steps, n_samples=m.n_samples, n_outputs=m.n_outputs))
            for m in modes
        ]

    def times(self, steps: Sequence[float], *, n_samples: int, n_outputs: int) -> list[float]:
        """Gradient-flow times of so many steps on the mean square; infinity stays infinity."""
        loss, lr = nn.MSELoss(), self.budget.lr
        return [
            s if s == inf else training_time(lr, s, loss, n_samples=n_samples, n_outputs=n_outputs)
            for s in steps
        ]

    def exact_times(
        self, modes: Modes, steps: Sequence[float], *, n_samples: int, n_outputs: int, speed: float
    ) -> list[float]:
        """The same times, where the engine can be asked for them."""
        del speed
        longest = longest_time(modes)
        own = self.times(steps, n_samples=n_samples, n_outputs=n_outputs)
        return [min(t, longest) for t in own]

    def engine(self, n_samples: int) -> tuple[Engine, str]:
        """Exact, unless that takes too long."""
        if n_samples <= _EXACT_SAMPLES:
            return "exact", "auto: gradient flow is exact for SGD"
        return "periodic", "auto: size"

    def exact_note(self) -> str | None:
        """None: nothing is assumed."""

    def stability_note(self, modes: Modes) -> str | None:
        """A note where its step exceeds 2 over the top eigenvalue.

        Raises:
            NumericalError: It exceeds that tenfold.
        """
        lr, loss = self.budget.lr, nn.MSELoss()
        unit = training_time(1.0, 1, loss, n_samples=modes.n_samples, n_outputs=modes.n_outputs)
        limit = 2 / (unit * float(modes.eigenvalues.sum(0).max()))
        if lr <= limit:
            return None
        if lr > _HOPELESS * limit:
            raise NumericalError(
                f"Gradient descent diverges at `lr={lr:g}`: the stability limit of this network is "
                f"{limit:.3g}. Take a learning rate below it."
            )
        return (
            f"lr {lr:g} is above {limit:.3g}, the stability limit of gradient descent for this "
            "network at its start: the prediction is gradient flow's, real training may diverge."
        )
