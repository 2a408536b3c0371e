"""What tuning is asked, checked, with all that follows from it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from ntkit.encodings import AbstractFourier
from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Goal
from ntkit.tuning.lattice import is_lattice
from ntkit.tuning.optimisers import AbstractOptimiser
from ntkit.tuning.optimisers.base import Engine
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.problems import AbstractProblem, problem_of

__all__ = ["Question", "chosen_engine"]


@dataclass(frozen=True)
class Question:
    """Which encoding, for this task and this budget.

    Attributes:
        task: What is fitted.
        goal: What counts.
        optimiser: What trains, and for how long.
        plan: The network.
        tried: The candidates.
        engine: "periodic" or "exact".
        pilot: Whether networks may be trained for the choice.
        say: Is told of each stage.
        heard: What kernels warned of meanwhile.
    """

    task: AbstractSamples
    goal: Goal
    optimiser: AbstractOptimiser
    plan: NetworkPlan
    tried: tuple[Candidate, ...]
    engine: Engine
    pilot: bool
    say: Callable[[str], None] = field(repr=False)
    heard: list[str] = field(default_factory=list, repr=False)

    @property
    def budget(self) -> Budget:
        """Steps, rate and batches."""
        return self.optimiser.budget

    @property
    def moments(self) -> tuple[float, ...]:
        """A twentieth of the budget, a fifth, all of it, and the end of training."""
        steps = self.budget.steps
        return (*sorted({max(1, steps // 20), max(1, steps // 5), steps}), inf)

    def problem(self, candidate: Candidate) -> AbstractProblem:
        """The training problem of a candidate."""
        self.say(f"kernel of {candidate.label}")
        network, encoding = self.plan.build(candidate, integer=True)
        if isinstance(encoding, AbstractFourier) and encoding.is_stationary:
            if is_lattice(self.task):
                encoding.frequencies.copy_(encoding.frequencies.round())
            self.optimiser.align(encoding, self.task)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            found = problem_of(network, encoding, self.task)
        self.heard.extend(f"{candidate.label}: {w.message}" for w in warned)
        return found

    def engine_notes(self) -> list[str]:
        """What the engine rounds, cuts or assumes."""
        if not is_lattice(self.task):
            return []
        if self.engine == "exact":
            note = self.optimiser.exact_note()
            return [note] if note else []
        notes = ["Frequencies were rounded to whole cycles per unit for the prediction alone."]
        steps = self.task.measurement.steps or ()
        if any(n % k for n, k in zip(self.task.shape, steps, strict=True)):
            notes.append("The last sample of each odd axis was left out of the prediction.")
        if not self.task.judges:
            notes.append(
                "All samples are trained on; quality between them is predicted by leaving each out in turn."
            )
        return notes


def chosen_engine(
    engine: str, optimiser: AbstractOptimiser, task: AbstractSamples
) -> tuple[Engine, str]:
    """The engine, and why.

    Raises:
        ValueError: It is none, or not for these samples.
    """
    if engine not in {"auto", "periodic", "exact"}:
        raise ValueError(f'`engine={engine!r}` must be "auto", "periodic" or "exact".')
    if not is_lattice(task):
        if engine != "auto":
            raise ValueError(
                f'`engine="{engine}"` needs samples on a grid, all or every other one; these are not. '
                'Leave `engine="auto"`.'
            )
        return "periodic", "the kernel at the points themselves"
    if engine == "exact" and not task.judges:
        raise ValueError('`engine="exact"` judges held-out samples, and nothing is held out.')
    if engine == "periodic" or engine == "exact":
        return engine, "as asked"
    chosen, why = optimiser.engine(task.values[..., 0].numel())
    return (chosen, why) if task.judges else ("periodic", "auto: nothing is held out")
