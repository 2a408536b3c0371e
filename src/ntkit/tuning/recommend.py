"""The choice of `tune` between encodings of a ReLU network, told of on the way to it."""

from collections.abc import Callable, Sequence

from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.answer import answered, has_kernel
from ntkit.tuning.candidates import COMPARED, candidates
from ntkit.tuning.choice import Goal
from ntkit.tuning.optimisers import optimiser_of
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.question import Question
from ntkit.tuning.stage import Stage

__all__ = ["recommend"]


def recommend(
    task: AbstractSamples,
    tell: Callable[[Stage], None],
    *,
    goal: Goal = "generalise",
    budget: Budget,
    plan: NetworkPlan,
    encodings: Sequence[str] = COMPARED,
    bandwidths: Sequence[float] | None = None,
) -> Stage:
    """What `tune(task, families=("mlp",), engine="periodic")` recommends, for whoever wants to see it come.

    Args:
        task: Samples of a field.
        tell: Is told what is known: by the kernel alone, then with Adam's clock, after each step of the scale models,
            and in the end. What it raises ends the work.
        goal: "generalise" or "fit".
        budget: The training.
        plan: The network; its seed is `ntkit.tuning.plan.plan_seed` of the generator of `tune`.
        encodings: Which to compare.
        bandwidths: Of Gaussian frequencies; a ladder if left out.

    Returns:
        What `tell` was told last.

    Raises:
        ValueError: The task has no kernel, or the encodings or bandwidths are none.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Signal
        >>> x = torch.linspace(0, 1, 257)[:-1]
        >>> wave = Signal(0.5 + 0.4 * torch.sin(2 * torch.pi * (4 * x + 12 * x**2)))
        >>> plan = NetworkPlan(1, 1, width=32, depth=2)
        >>> stages = []
        >>> last = recommend(wave, stages.append, budget=Budget(steps=100), plan=plan, bandwidths=[1, 4, 64])
        >>> last.choice.name, last.is_whole, len(last.table), stages[0].is_whole
        ('gaussian', True, 6, False)
    """
    if not has_kernel(task):
        raise ValueError(f"A {task.kind} has no kernel; `ntkit.tune` asks scale models of it.")
    heard: list[Stage] = []

    def told(stage: Stage) -> None:
        heard[:] = [stage]
        tell(stage)

    tried = tuple(candidates(task, encodings, bandwidths))
    question = Question(
        task, goal, optimiser_of(budget), plan, tried, "periodic", pilot=True, say=_nothing
    )
    answered(question, "as asked", told)
    return heard[0]


def _nothing(_: str) -> None:
    """What is told of the stages of each question; a named function, so that a `Stage` can be pickled."""
