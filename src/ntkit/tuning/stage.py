"""What is known on the way to a choice, and the fields that go with it."""

from dataclasses import dataclass, field
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from ntkit.dynamics.modes import Trajectory
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Row, choose, flat_range, scores_of
from ntkit.tuning.problems import AbstractProblem, LowRankProblem, PeriodicProblem
from ntkit.tuning.question import Question
from ntkit.tuning.scale_model import ScaleModel

__all__ = ["Stage"]


@dataclass(frozen=True, eq=False)
class Stage:
    """What is known on the way to a choice: first by the kernel alone, then with Adam's clock, then with scale models.

    Attributes:
        table: Predictions of each candidate, as `TuneResult.table`.
        speed: Of Adam's clock.
        models: What scale models reached; empty before they are done.
        trained: Share of their steps that are taken.
        is_whole: Whether nothing follows.

    Example:
        >>> import ntkit, torch
        >>> wave = ntkit.tasks.Signal(torch.sin(torch.arange(64.0) / 5))
        >>> plan, budget = ntkit.tuning.NetworkPlan(1, 1, width=16, depth=1), ntkit.tasks.Budget(steps=20)
        >>> known = []
        >>> last = ntkit.tuning.recommend(wave, known.append, budget=budget, plan=plan, encodings=["basic"])
        >>> isinstance(last, Stage), last is known[-1]
        (True, True)
    """

    _question: Question = field(repr=False)
    _problems: tuple[AbstractProblem, ...] = field(repr=False)
    _runs: tuple[Trajectory, ...] = field(repr=False)
    table: tuple[Row, ...]
    speed: float
    models: tuple[ScaleModel, ...] = ()
    trained: float = 0.0
    is_whole: bool = False

    @cached_property
    def scores(self) -> dict[Candidate, float]:
        """Quality for the goal at the end of the budget, dB: predicted, and moved towards what scale models reached."""
        question = self._question
        return scores_of(self.table, self.models, question.goal, question.budget.steps)

    @cached_property
    def choice(self) -> Candidate:
        """What is recommended so far."""
        return choose(self.scores)

    @cached_property
    def flat_range(self) -> tuple[float, float] | None:
        """Smallest and largest Gaussian bandwidth that are as good."""
        return flat_range(self.scores)

    def field(self, candidate: Candidate, *, every: int = 2) -> Float[Tensor, "..."]:
        """What the network is predicted to have learned by the end of the budget: `[*shape, o]`.

        Without Fourier features it is every `every`-th sample along each axis, as the kernel is then no table of lags.
        The last sample of an odd axis is left out, and so is the random initial function.

        Args:
            candidate: One of the table.
            every: 1 for all samples also without Fourier features.

        Raises:
            ValueError: It is none of them, or the samples are no regular part of a grid.
        """
        if candidate not in self._question.tried:
            raise ValueError(f"`candidate={candidate}` is none of those that were compared.")
        at = self._question.tried.index(candidate)
        problem, whole = self._problems[at], self._runs[at]
        moment = self._question.moments.index(self._question.budget.steps)
        run = Trajectory(whole.decay[moment : moment + 1], whole.weights[moment : moment + 1])
        if isinstance(problem, PeriodicProblem):
            return problem.learned(run)[0]
        grid = self._question.task.grid
        if not isinstance(problem, LowRankProblem) or grid is None:
            raise ValueError("`field` is of samples on a grid, all or every other one.")
        coarse = grid[(slice(None, None, every),) * len(grid.shape)]
        return problem.learned(run, coarse.points())[0].reshape(*coarse.shape, -1)
