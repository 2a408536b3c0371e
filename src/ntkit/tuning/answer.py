"""What the kernel says of ReLU networks, all stages together."""

from dataclasses import dataclass, field
from typing import TypeGuard

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Row, choose, flat_range, scores_of
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.predict import Prediction
from ntkit.tuning.question import Question
from ntkit.tuning.scale_model import ScaleModel
from ntkit.tuning.stages import clock_of, curves_of, models_of, notes_of, table_of

__all__ = ["KernelAnswer", "answered", "has_kernel"]


@dataclass(frozen=True)
class KernelAnswer:
    """Of all encodings in front of a ReLU network; fields as those of `TuneResult`. Without any, that it was not asked.

    Attributes:
        choice: The encoding to recommend.
        flat_range: Bandwidths that are as good.
        table: Predictions.
        engine: "periodic" or "exact", and why.
        clock: Adam's.
        models: Scale models of bandwidths.
        notes: What was approximated.
        curves: Predictions on the way.
    """

    choice: Candidate | None = None
    flat_range: tuple[float, float] | None = None
    table: tuple[Row, ...] = ()
    engine: str = "scale models alone"
    clock: Clock | None = None
    models: tuple[ScaleModel, ...] = ()
    notes: tuple[str, ...] = ()
    curves: dict[str, tuple[Prediction, ...]] = field(default_factory=dict)

    def predicted(self, steps: float) -> dict[Candidate, Prediction]:
        """Of each encoding, after so many steps."""
        return {row.candidate: row.at(steps) for row in self.table}


def has_kernel(task: AbstractTask) -> TypeGuard[AbstractSamples]:
    """Whether the kernel knows the training: samples of a field, fitted in the mean square."""
    is_square = type(task).loss is AbstractTask.loss
    return isinstance(task, AbstractSamples) and is_square and task.takes_points


def answered(question: Question, why: str) -> KernelAnswer:
    """Ask the kernel of each candidate, train scale models of the best, and choose.

    Args:
        question: What is asked.
        why: Its engine was taken.
    """
    problems = [question.problem(candidate) for candidate in question.tried]
    clock = clock_of(question, problems)
    speed = clock.speed if clock else 1.0
    table = table_of(question, problems, speed)
    models = models_of(question, table)
    scores = scores_of(table, models, question.goal, question.budget.steps)
    choice = choose(scores)
    return KernelAnswer(
        choice=choice,
        flat_range=flat_range(scores),
        table=table,
        engine=f"{question.engine} ({why})",
        clock=clock,
        models=models,
        notes=notes_of(question, problems, choice),
        curves=curves_of(question, problems, choice, speed),
    )
