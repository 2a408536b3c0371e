"""The stages of tuning: kernels, a clock, the table of predictions, scale models, curves."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite

from ntkit._core.errors import NumericalError
from ntkit.dynamics.modes import Modes, Trajectory
from ntkit.encodings import AbstractFourier
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.choice import Row, shortlist
from ntkit.tuning.optimisers import Clock
from ntkit.tuning.optimisers.clock import pilot_of
from ntkit.tuning.predict import Prediction, exact_predictions, mode_predictions
from ntkit.tuning.problems import AbstractProblem, PeriodicProblem
from ntkit.tuning.question import Question
from ntkit.tuning.scale_model import ScaleModel, scale_models

__all__ = ["clock_of", "curves_of", "models_of", "notes_of", "quickest", "runs_of", "table_of"]


def clock_of(question: Question, problems: Sequence[AbstractProblem]) -> Clock | None:
    """How fast the network runs: measured where that is allowed; None where time is exact."""
    modes = [p.modes for p in problems]
    default = question.optimiser.default_clock(modes[0].n_samples)
    if default is None or not question.pilot:
        return default
    chosen = quickest(question, modes)
    question.say(f"short real run of {chosen} for Adam's clock")
    return question.optimiser.measured_clock(
        question.plan.trainable(chosen),
        question.task,
        modes[question.tried.index(chosen)],
        encoding=chosen.label,
        seed=question.plan.seed,
    )


def quickest(question: Question, modes: Sequence[Modes]) -> Candidate:
    """What learns most within the short run, which then says most; a Gaussian if any is tried."""
    optimiser = question.optimiser
    short = type(optimiser)(pilot_of(question.budget))
    clock = short.default_clock(modes[0].n_samples)
    speed = clock.speed if clock else 1.0
    runs = short.trajectories(modes, [short.budget.steps], speed=speed)
    left = {
        c: float(m.error(r.decay)[0]) for c, m, r in zip(question.tried, modes, runs, strict=True)
    }
    gaussians = [c for c in question.tried if c.name == "gaussian"]
    return min(gaussians or question.tried, key=lambda c: left[c])


def runs_of(
    question: Question, problems: Sequence[AbstractProblem], speed: float
) -> list[Trajectory]:
    """What training does to the modes of every candidate, by the moments of the question."""
    modes = [p.modes for p in problems]
    return question.optimiser.trajectories(modes, question.moments, speed=speed)


def table_of(
    question: Question,
    problems: Sequence[AbstractProblem],
    runs: Sequence[Trajectory],
    speed: float,
) -> tuple[Row, ...]:
    """What is predicted of every candidate."""
    rows = [
        Row(candidate, tuple(mode_predictions(problem, run, question.moments)))
        for candidate, problem, run in zip(question.tried, problems, runs, strict=True)
    ]
    if question.engine == "exact":
        pairs = zip(rows, problems, strict=True)
        rows = [
            _exact(question, row, problem, speed) if isinstance(problem, PeriodicProblem) else row
            for row, problem in pairs
        ]
    return tuple(rows)


def _exact(question: Question, row: Row, problem: AbstractProblem, speed: float) -> Row:
    """A row again, without rounding or cutting."""
    question.say(f"exact engine: {row.candidate}")
    task = question.task
    steps = [p.steps for p in row.predictions if p.steps < inf]
    n = len(task.measurement.index)
    times = question.optimiser.exact_times(
        problem.modes, steps, n_samples=n, n_outputs=task.n_outputs, speed=speed
    )
    network, encoding = question.plan.build(row.candidate)
    assert isinstance(encoding, AbstractFourier)
    question.optimiser.align(encoding, task)
    found = exact_predictions(network, task, times, steps)
    return replace(row, predictions=(*found, row.predictions[-1]))


def models_of(
    question: Question,
    table: Sequence[Row],
    on_step: Callable[[float], None] | None = None,
) -> tuple[ScaleModel, ...]:
    """Scale models of the bandwidths predicted best, where the kernel alone does not decide.

    Args:
        question: What is asked.
        table: Predictions.
        on_step: Called after each step of their training with the share of all steps that are taken.

    Raises:
        NumericalError: All of them diverged.
    """
    if question.optimiser.follows_kernel or not question.pilot or question.plan.factory:
        return ()
    best = shortlist(table, question.goal, question.budget.steps)
    if len(best) < 2:
        return ()
    question.say(f"scale models of {len(best)} bandwidths")
    models = scale_models(question.task, question.budget, best, plan=question.plan, on_step=on_step)
    if models and not any(isfinite(m.train) for m in models):
        raise NumericalError(
            "Every scale model of the training diverged. Take a learning rate below "
            f"{question.budget.lr:g}."
        )
    return models


def curves_of(
    question: Question, problems: Sequence[AbstractProblem], choice: Candidate, speed: float
) -> dict[str, tuple[Prediction, ...]]:
    """Predictions at many steps, for the choice and for no encoding."""
    question.say(f"learning curve of {choice.label}")
    shown = [i for i, c in enumerate(question.tried) if c == choice or c.name == "identity"]
    steps = question.budget.steps
    stops = sorted({max(1, round(steps ** (i / 15))) for i in range(16)})
    runs = question.optimiser.trajectories([problems[i].modes for i in shown], stops, speed=speed)
    return {
        str(question.tried[i]): tuple(mode_predictions(problems[i], run, stops))
        for i, run in zip(shown, runs, strict=True)
    }


def notes_of(
    question: Question, problems: Sequence[AbstractProblem], choice: Candidate
) -> tuple[str, ...]:
    """What was rounded, cut, assumed or approximated."""
    notes = [*question.engine_notes(), *dict.fromkeys(question.heard)]
    stability = question.optimiser.stability_note(problems[question.tried.index(choice)].modes)
    if stability:
        notes.append(stability)
    own = [
        (candidate, problem.note)
        for candidate, problem in zip(question.tried, problems, strict=True)
        if problem.note
    ]
    texts = {text for _, text in own}
    if len(own) > 1 and len(texts) == 1:
        return (*notes, f"All encodings: {texts.pop()}")
    return (*notes, *(f"{candidate.label}: {text}" for candidate, text in own))
