"""Adam: its flow in function space, on aligned features, by a clock that a short real run sets."""

from collections.abc import Sequence
from math import inf

import torch
from torch import nn

from ntkit.dynamics.modes import Modes, Trajectory, flow_trajectory
from ntkit.encodings import AbstractFourier
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.matching import matching_times
from ntkit.tuning.optimisers.adam_flow import adam_trajectories
from ntkit.tuning.optimisers.alignment import align
from ntkit.tuning.optimisers.base import AbstractOptimiser, Engine
from ntkit.tuning.optimisers.clock import Clock, calibrate, theory_clock

__all__ = ["Adam"]


class Adam(AbstractOptimiser):
    """Each layer's kernel has its own, moving rate (`ntkit.tuning.optimisers.adam_flow`)."""

    follows_kernel = False

    def trajectories(
        self, modes: Sequence[Modes], steps: Sequence[float], *, speed: float = 1.0
    ) -> list[Trajectory]:
        """Adam's flow; its end is that of plain gradient flow."""
        finite = [int(s) for s in steps if s < inf]
        found: dict[int, Trajectory] = {}
        groups: dict[int, list[int]] = {}
        for i, m in enumerate(modes):
            groups.setdefault(len(m.diagonal), []).append(i)
        for indices in groups.values():
            runs = adam_trajectories(
                [modes[i] for i in indices],
                finite,
                lr=self.budget.lr,
                batch_size=self.budget.batch_size,
                speed=speed,
            )
            found.update(zip(indices, runs, strict=True))
        if len(finite) == len(steps):
            return [found[i] for i in range(len(modes))]
        return [_with_end(found[i], m) for i, m in enumerate(modes)]

    def exact_times(
        self, modes: Modes, steps: Sequence[float], *, n_samples: int, n_outputs: int, speed: float
    ) -> list[float]:
        """When plain gradient flow has the training error that Adam's flow reaches."""
        del n_samples, n_outputs
        (run,) = self.trajectories([modes], steps, speed=speed)
        return matching_times(modes, run.decay)

    def engine(self, n_samples: int) -> tuple[Engine, str]:
        """Periodic, whatever the size."""
        del n_samples
        return "periodic", "auto: Adam's flow needs one basis for all layers"

    def exact_note(self) -> str | None:
        """What the exact engine makes of Adam."""
        return (
            "The exact engine follows plain gradient flow to the training error that Adam's flow "
            "predicts; held-out errors are those of that flow."
        )

    def align(self, encoding: AbstractFourier, task: AbstractSamples) -> None:
        """Give the features that the signal is made of more weight, as Adam's first steps do."""
        align(encoding, task, self.budget)

    def default_clock(self, n_samples: int) -> Clock:
        """The default speed for the batches of the budget."""
        return theory_clock(self.budget, n_samples)

    def measured_clock(
        self, network: nn.Module, task: AbstractSamples, modes: Modes, *, encoding: str, seed: int
    ) -> Clock:
        """By 100 steps of small batches."""
        return calibrate(
            network,
            task,
            modes,
            self.budget,
            encoding=encoding,
            generator=torch.Generator().manual_seed(seed),
        )


def _with_end(run: Trajectory, modes: Modes) -> Trajectory:
    """A trajectory with the end of training behind it."""
    end = flow_trajectory(modes, [inf])
    return Trajectory(torch.cat([run.decay, end.decay]), torch.cat([run.weights, end.weights]))
