"""Answer: which encoding and bandwidth, for a goal and a budget: by the kernel at once, then by scale models."""

from collections.abc import Callable, Generator, Iterator, Mapping
from time import monotonic
from typing import Any

from ntkit.studio.asks import Ask, Reply, number, one_of
from ntkit.studio.copied import command_of, plan_of, python_of
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import drawn
from ntkit.studio.streamed import streamed
from ntkit.tasks import Budget
from ntkit.tuning import COMPARED, Candidate, Row, Stage, recommend
from ntkit.tuning.choice import Goal

__all__ = ["ASKS", "GOALS", "answer_of", "answers", "asked_of", "coming"]

GOALS: Mapping[str, Goal] = {"generalise": "generalise", "fit": "fit"}
_EVERY = 0.2  # seconds between two tellings of progress
_KEPT = 2  # answers, each of some sixty megabytes with its kernels

_Key = tuple[Goal, int]


def asked_of(values: Mapping[str, Any]) -> _Key:
    """The goal, and the steps of the budget."""
    return GOALS[one_of(values, "goal", tuple(GOALS))], round(number(values, "steps", 20, 20_000))


def answers(desk: Desk) -> Drawer[_Key, Stage]:
    """What is known, by goal and budget."""
    return desk.drawer("answer", _KEPT)


def answer_of(desk: Desk, values: Mapping[str, Any]) -> Stage:
    """What is known for the goal and the budget of a request.

    Raises:
        Refusal: It was not asked for yet.
    """
    found = answers(desk).get(asked_of(values))
    if found is None:
        raise Refusal("not_ready", "The answer for this goal and budget is not computed yet.")
    return found


def coming(desk: Desk, key: tuple[Goal, int]) -> Generator[Stage, None, None]:
    """What becomes known of a goal and a budget; to close it ends the work."""
    task = desk.signal.whole
    goal, steps = key

    def work(tell: Callable[[Stage], None]) -> Stage:
        return recommend(task, tell, goal=goal, budget=Budget(steps=steps), plan=plan_of(task))

    return streamed(work)


def recommended(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What is recommended so far, better as more is known."""
    stages = answers(desk)
    key = goal, steps = asked_of(values)
    known = stages.get(key)
    if known is not None and known.is_whole:
        yield _told(desk, known, goal, steps)
        return
    told = 0.0
    for stage in coming(desk, key):
        stages.put(key, stage)
        if stage.is_whole or not stage.trained or monotonic() > told + _EVERY:
            told = monotonic()
            yield _told(desk, stage, goal, steps)


def _told(desk: Desk, stage: Stage, goal: Goal, steps: int) -> Reply:
    choice, shown = stage.choice, desk.signal
    baseline = shown.whole.baseline()
    gaussians = [row for row in stage.table if row.candidate.name == "gaussian"]
    modelled = {m.candidate for m in stage.models}
    scores = [stage.scores[r.candidate] if r.candidate in modelled else None for r in gaussians]
    return Reply({
        "goal": goal,
        "steps": steps,
        "choice": _row(choice, stage, goal, steps),
        "flat": stage.flat_range,
        "unit": choice.bandwidth and shown.whole.frequency(choice.bandwidth),
        "compared": [_row(c, stage, goal, steps) for c in _compared(stage)],
        "bandwidths": [row.candidate.bandwidth for row in gaussians],
        "psnr": [_quality(row, goal, steps) for row in gaussians],
        "scores": scores,
        "baseline": baseline and {"name": baseline.name, "psnr": baseline.held_out},
        "trained": stage.trained,
        "is_whole": stage.is_whole,
        "modelled": len(stage.models),
        "python": python_of(shown, choice, goal, steps),
        "command": command_of(shown, goal, steps),
    })


def _compared(stage: Stage) -> list[Candidate]:
    """One candidate an encoding: of Gaussian ones the recommended, or the best."""
    best: dict[str, Candidate] = {}
    for candidate, score in stage.scores.items():
        first = best.setdefault(candidate.name, candidate)
        if score > stage.scores[first]:
            best[candidate.name] = candidate
    return [*(best | {stage.choice.name: stage.choice}).values()]


def _row(candidate: Candidate, stage: Stage, goal: Goal, steps: int) -> dict[str, Any]:
    row = next(row for row in stage.table if row.candidate == candidate)
    return {
        "name": candidate.name,
        "bandwidth": candidate.bandwidth,
        "psnr": _quality(row, goal, steps),
    }


def _quality(row: Row, goal: Goal, steps: int) -> float:
    said = row.at(steps)
    return said.held_out if goal == "generalise" else said.train


def picture(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What the network is predicted to make of the signal with one of the encodings.

    Raises:
        ValueError: It was not compared.
    """
    stage = answer_of(desk, values)
    name = one_of(values, "name", COMPARED)
    bandwidth = None if values.get("bandwidth") is None else number(values, "bandwidth", 0, 1e9)
    for row in stage.table:
        if (row.candidate.name, row.candidate.bandwidth) == (name, bandwidth):
            said = row.at(asked_of(values)[1])
            content = {
                "name": name,
                "bandwidth": bandwidth,
                "held_out": said.held_out,
                "train": said.train,
            }
            yield Reply(content, {"picture": drawn(stage.field(row.candidate))})
            return
    raise ValueError(f"`{name}` at this bandwidth was not compared.")


ASKS: Mapping[str, Ask] = {
    "recommend": Ask(recommended, is_long=True),
    "picture": Ask(picture),
}
