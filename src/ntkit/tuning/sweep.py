"""Many bandwidths of an encoding, or many encodings, at several budgets: predicted quality, and the fields themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive
from ntkit.dynamics.modes import Trajectory
from ntkit.grids import Grid
from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import MLP, Candidate
from ntkit.tuning.choice import Row
from ntkit.tuning.lattice import is_lattice, trimmed
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import mode_predictions
from ntkit.tuning.problems import LowRankProblem, PeriodicProblem
from ntkit.tuning.question import Question

__all__ = ["Rung", "rungs", "sweep"]


@dataclass(frozen=True, eq=False)
class Rung:
    """An encoding of one bandwidth, in front of a network that is trained.

    Attributes:
        row: Predicted quality at several budgets, the last for training without end.

    Example:
        >>> import torch, ntkit
        >>> wave = ntkit.tasks.Signal(0.5 + 0.4 * torch.sin(torch.arange(64.0)))
        >>> plan, budget = ntkit.tuning.NetworkPlan(1, 1), ntkit.tasks.Budget(steps=50)
        >>> [rung] = ntkit.tuning.sweep(wave, [4.0], budget=budget, plan=plan)
        >>> isinstance(rung, Rung), rung.field(50).shape
        (True, torch.Size([64, 1]))
    """

    row: Row
    _problem: PeriodicProblem | LowRankProblem = field(repr=False)
    _run: Trajectory = field(repr=False)
    _grid: Grid = field(repr=False)

    @property
    def bandwidth(self) -> float:
        """Standard deviation of the frequencies, or the largest of positional ones, cycles per unit; 0 without."""
        return self.row.candidate.bandwidth or 0.0

    @property
    def steps(self) -> tuple[float, ...]:
        """The budgets that are known: steps of the optimiser, infinity for the end of training."""
        return tuple(p.steps for p in self.row.predictions)

    def field(self, steps: float) -> Float[Tensor, "..."]:
        """What the network has learned after one of `steps`: `[*shape, o]`, of a task with even axes.

        The last sample of an odd axis is left out. The random initial function is left out too.

        Args:
            steps: One of `self.steps`.

        Raises:
            ValueError: It is none of them.
        """
        if steps not in self.steps:
            raise ValueError(f"`steps={steps!r}` must be one of {self.steps}.")
        at = self.steps.index(steps)
        one = Trajectory(self._run.decay[at : at + 1], self._run.weights[at : at + 1])
        if isinstance(self._problem, PeriodicProblem):
            return self._problem.learned(one)[0]
        found = self._problem.learned(one, self._grid.points())[0]
        return found.reshape(*self._grid.shape, -1)


def sweep(
    task: AbstractSamples,
    bandwidths: Sequence[float],
    *,
    budget: Budget,
    plan: NetworkPlan,
    moments: Sequence[float] | None = None,
) -> tuple[Rung, ...]:
    """One rung a bandwidth, with the numbers that `tune(..., pilot=False, engine="periodic")` gives it.

    For what is looked at, where `ntkit.tune` chooses. Bandwidths may be asked for in several calls: a rung does
    not depend on its neighbours.

    Args:
        task: Samples of a grid, trained on all or on every other one.
        bandwidths: Standard deviations of Gaussian frequencies, cycles per unit.
        budget: The training; its steps, a fifth of them, a twentieth, and the end of training are predicted.
        plan: The network.
        moments: Other steps to predict at than those: whole ones, ascending, infinity the last if at all. For Adam
            the kernel is the one that stands for the end of the budget.

    Samples that are no such part of a grid are refused, and so is a bandwidth that is not above 0.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Signal, psnr
        >>> x = torch.linspace(0, 1, 257)[:-1]
        >>> wave = Signal(0.5 + 0.4 * torch.sin(2 * torch.pi * (4 * x + 12 * x**2)))
        >>> low, best = sweep(wave, [1.0, 4.0], budget=Budget(steps=200), plan=NetworkPlan(1, 1))
        >>> low.row.at(200).held_out < best.row.at(200).held_out
        True
        >>> fitted, between = wave.errors(best.field(200))
        >>> abs(psnr(between) - best.row.at(200).held_out) < 1e-6
        True
    """
    tried = tuple(Candidate("gaussian", positive("bandwidths", b)) for b in bandwidths)
    return rungs(task, tried, budget=budget, plan=plan, moments=moments)


def rungs(
    task: AbstractSamples,
    tried: Sequence[Candidate],
    *,
    budget: Budget,
    plan: NetworkPlan,
    moments: Sequence[float] | None = None,
) -> tuple[Rung, ...]:
    """As `sweep`, for any encodings in front of a ReLU network.

    Args:
        task: Samples of a grid, trained on all or on every other one.
        tried: Encodings and their bandwidths. Without an encoding the kernel is taken by its largest 256 modes.
        budget: As for `sweep`.
        plan: The network.
        moments: As for `sweep`.

    Raises:
        ValueError: The samples are no such part of a grid, a candidate is no encoding, or moments do not ascend.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(0.5 + 0.4 * torch.sin(50 * torch.arange(64.0) / 64))
        >>> none, basic = rungs(
        ...     wave, [Candidate("identity"), Candidate("basic")], budget=Budget(steps=200), plan=NetworkPlan(1, 1)
        ... )
        >>> none.field(200).shape
        torch.Size([64, 1])
    """
    if not is_lattice(task) or task.grid is None:
        raise ValueError(
            "`sweep(task, ...)` needs samples on a grid, all or every other one; these are not. "
            "`ntkit.tune` takes them."
        )
    others = [str(c) for c in tried if c.family != MLP]
    if others:
        raise ValueError(
            f"`rungs(..., [{', '.join(others)}])` are networks with encodings of their own, which have no kernel here. "
            "Leave them out, or train them: `ntkit.tuning.trained`."
        )
    optimiser = optimiser_of(budget)
    question = Question(
        task,
        "generalise",
        optimiser,
        plan,
        tuple(tried),
        "periodic",
        pilot=False,
        say=lambda _: None,
    )
    stops = question.moments if moments is None else _ascending(moments)
    found = [question.problem(candidate) for candidate in tried]
    problems = [p for p in found if isinstance(p, PeriodicProblem | LowRankProblem)]
    assert len(problems) == len(tried), "an encoding on a lattice is periodic, or of low rank"
    values = trimmed(task)
    grid = task.grid[tuple(slice(0, n) for n in values.shape[:-1])]
    clock = optimiser.default_clock(values[task.measurement.lattice][..., 0].numel())
    speed = clock.speed if clock else 1.0
    runs = optimiser.trajectories([p.modes for p in problems], stops, speed=speed)
    return tuple(
        Rung(Row(candidate, tuple(mode_predictions(problem, run, stops))), problem, run, grid)
        for candidate, problem, run in zip(tried, problems, runs, strict=True)
    )


def _ascending(moments: Sequence[float]) -> tuple[float, ...]:
    """Steps to predict at, checked.

    Raises:
        ValueError: They are none, do not ascend, or are no whole steps.
    """
    finite = [m for m in moments if m < inf]
    is_whole = all(m >= 1 and m == int(m) for m in finite)
    rising = all(a < b for a, b in pairwise(moments))
    if not moments or not is_whole or not rising:
        raise ValueError(
            f"`moments={tuple(moments)}` must be whole steps from 1, each more than the one before; infinity "
            "may be the last."
        )
    return tuple(int(m) if m < inf else m for m in moments)
