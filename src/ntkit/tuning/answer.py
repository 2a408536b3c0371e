"""What the kernel says of ReLU networks, all stages together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeGuard

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Row
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.predict import Prediction
from ntkit.tuning.problems import AbstractProblem
from ntkit.tuning.question import Question
from ntkit.tuning.scale_model import ScaleModel
from ntkit.tuning.stage import Stage
from ntkit.tuning.stages import clock_of, curves_of, models_of, notes_of, runs_of, table_of

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


def answered(
    question: Question, why: str, tell: Callable[[Stage], None] | None = None
) -> KernelAnswer:
    """Ask the kernel of each candidate, train scale models of the best, and choose.

    Args:
        question: What is asked.
        why: Its engine was taken.
        tell: Is told what is known on the way, if anyone is.
    """
    if tell and question.pilot:
        problems = _told_at_once(question, tell)
    else:
        problems = [question.problem(candidate) for candidate in question.tried]
    clock = clock_of(question, problems)
    known = _stage(question, problems, clock)
    on_step = None
    if tell:
        tell(known)
        on_step = partial(_on_step, tell, known)
    models = models_of(question, known.table, on_step)
    known = replace(known, models=models, trained=1.0, is_whole=True)
    if tell:
        tell(known)
    return KernelAnswer(
        choice=known.choice,
        flat_range=known.flat_range,
        table=known.table,
        engine=f"{question.engine} ({why})",
        clock=clock,
        models=models,
        notes=notes_of(question, problems, known.choice),
        curves=curves_of(question, problems, known.choice, known.speed),
    )


def _told_at_once(question: Question, tell: Callable[[Stage], None]) -> list[AbstractProblem]:
    """All problems; what is known by them is told at the clock of an average photo, of Gaussian encodings first."""
    gaussians = tuple(c for c in question.tried if c.name == "gaussian")
    known = {c: question.problem(c) for c in gaussians}
    for tried in dict.fromkeys([gaussians, question.tried]):
        known |= {c: question.problem(c) for c in tried if c not in known}
        problems = [known[c] for c in tried]
        if problems:
            clock = question.optimiser.default_clock(problems[0].modes.n_samples)
            tell(_stage(replace(question, tried=tried), problems, clock))
    return [known[c] for c in question.tried]


def _stage(question: Question, problems: Sequence[AbstractProblem], clock: Clock | None) -> Stage:
    speed = clock.speed if clock else 1.0
    runs = runs_of(question, problems, speed)
    table = table_of(question, problems, runs, speed)
    return Stage(question, tuple(problems), tuple(runs), table, speed)


def _on_step(tell: Callable[[Stage], None], known: Stage, done: float) -> None:
    tell(replace(known, trained=done))
