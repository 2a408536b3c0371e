"""How sure the choice between families is, in words."""

from collections.abc import Sequence
from math import inf

from ntkit.tasks.metrics import AbstractMetric
from ntkit.tuning.choice import Goal
from ntkit.tuning.families import FamilyRow
from ntkit.tuning.run_off import counted

__all__ = ["notes_on"]


def notes_on(
    rows: Sequence[FamilyRow],
    asked: Sequence[str],
    metric: AbstractMetric,
    *,
    knows: bool,
    goal: Goal = "generalise",
) -> tuple[str, ...]:
    """How sure the choice between families is, in words; or that there was none.

    Args:
        rows: The recommended one first.
        asked: The families that were to be compared.
        metric: Of the task.
        knows: Whether the kernel was asked.
        goal: What counts.
    """
    if not rows and not knows:
        return ("Nothing was tried: this is what is usual for so many coordinates.",)
    if not rows:
        small = len(asked) > 1
        return ("Too small for scale models: no families were compared.",) if small else ()
    first, *others = rows
    notes = [_on_run_off(rows[:2], metric, goal)] if first.run_off else []
    others = [row for row in others if not row.run_off]
    as_good = [row.family for row in others if row.ties]
    ahead = [row for row in others if not row.ties]
    if as_good:
        verb = "is" if len(as_good) == 1 else "are"
        notes.append(
            f"As far as scale models can tell, {' and '.join(as_good)} {verb} as good as {first.family}."
        )
    if ahead:
        near = ahead[0]
        by = f"{near.behind.gain:.{metric.digits}f} +- {near.behind.noise:.{metric.digits}f}"
        notes.append(
            f"By scale models {first.family} is ahead of {near.family} by {by} {metric.unit or metric.name}."
        )
    return tuple(notes)


def _on_run_off(pair: Sequence[FamilyRow], metric: AbstractMetric, goal: Goal) -> str:
    """What the run-off gave, the winner first, and that it is one training each."""
    won, lost = (row.family for row in pair)
    ran = [row.run_off for row in pair if row.run_off]
    ours, theirs = (counted(r, goal) for r in ran)
    steps = " and ".join(dict.fromkeys(f"{r.steps:,}" for r in ran))
    if ours == -inf:
        reached = f"both diverged, and {won} is kept"
    elif theirs == -inf:
        reached = f"{won} reached {_exactly(ours, metric)}, and {lost} diverged"
    else:
        reached = f"{won} reached {_exactly(ours, metric)} and {lost} {_exactly(theirs, metric)}, by one training each"
    return (
        f"Models set {won} and {lost} less than two standard errors apart. In a run-off, real trainings of {steps} steps, "
        f"{reached}."
    )


def _exactly(value: float, metric: AbstractMetric) -> str:
    """With a digit more than elsewhere: the two may be near."""
    return f"{value:.{metric.digits + 1}f} {metric.unit or metric.name}"
