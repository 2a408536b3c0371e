"""Error map and limits: where the recommended network under- and overfits, how seeds differ, and what to take along."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
from torch import Tensor

from ntkit.experiments.weights import Architecture, about, tensor_bytes
from ntkit.studio.asks import Ask, Reply, number, one_of
from ntkit.studio.copied import plan_of, weights_program
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.studio.report import report_of
from ntkit.studio.shown import drawn
from ntkit.studio.views.answer import answers, asked_of, coming
from ntkit.tasks import Budget, error_map, spread
from ntkit.tuning import Candidate, Stage, Trained, trained
from ntkit.tuning.choice import Goal

__all__ = ["ASKS", "Known"]

PREDICTED = -1
"""What is looked at in place of a seed."""

_EVERY = 0.3  # seconds between two tellings of progress
_MOST_SEEDS = 5
"""Networks that train at once; each more makes the page wait."""

_KEPT = 2  # recommendations, with the networks that were trained


@dataclass(eq=False)
class Known:
    """What is known of the recommended network at one goal and budget.

    Attributes:
        stage: Where the recommendation is from.
        steps: Of the budget.
        predicted: The field at the end of it, by the kernel.
        seeds: Networks that were trained, or are.
    """

    stage: Stage
    steps: int
    predicted: Tensor
    seeds: dict[int, Trained] = field(default_factory=dict)

    @property
    def choice(self) -> Candidate:
        """What is recommended."""
        return self.stage.choice

    @property
    def whole(self) -> list[Trained]:
        """The networks whose training came to its end."""
        return [s for s in self.seeds.values() if s.step == self.steps]

    def field_of(self, which: int) -> Tensor | None:
        """Of a seed when it was looked at last, or as predicted; None where there is none yet."""
        if which == PREDICTED:
            return self.predicted
        seen = self.seeds.get(which)
        return seen.field if seen else None


def _all_known(desk: Desk) -> Drawer[tuple[Goal, int], Known]:
    return desk.drawer("limits", _KEPT)


def _known(desk: Desk, values: Mapping[str, Any]) -> Known:
    """What is known for a request.

    Raises:
        Refusal: Nothing is yet.
    """
    found = _all_known(desk).get(asked_of(values))
    if found is None:
        raise Refusal(
            "not_ready", "The recommendation for this goal and budget is not computed yet."
        )
    return found


def recommended(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What is recommended, and where it is predicted to be wrong."""
    all_known, key = _all_known(desk), asked_of(values)
    stage = answers(desk).get(key)
    if stage is None or not _is_full(stage):
        stage = _first_full(coming(desk, key))
    known = all_known.get(key)
    if known is None or known.choice != stage.choice:
        known = Known(stage, key[1], stage.field(stage.choice, every=1))
        all_known.put(key, known)
    known.stage = stage
    yield _look(desk, known, PREDICTED)


def _is_full(stage: Stage) -> bool:
    """Whether all encodings are compared."""
    return any(row.candidate.name == "identity" for row in stage.table)


def _first_full(stages: Generator[Stage, None, None]) -> Stage:
    """As soon as all encodings are compared; the scale models are left."""
    stage = next(stages)
    while not _is_full(stage):
        stage = next(stages)
    stages.close()
    return stage


def train(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """Train the recommended network from several seeds, one after the other."""
    known, task = _known(desk, values), desk.signal.whole
    plan, budget = plan_of(task), Budget(steps=known.steps)
    for seed in range(round(number(values, "seeds", 1, _MOST_SEEDS))):
        if seed in known.seeds and known.seeds[seed].step == known.steps:
            continue

        told, shown = 0.0, None
        for now in trained(task, known.choice, budget=budget, plan=plan, seed=seed):
            known.seeds[seed] = now
            if now.field is not shown or monotonic() > told + _EVERY:
                told, shown = monotonic(), now.field
                yield _look(desk, known, seed)
    yield _look(desk, known, max(known.seeds))


def look(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """A seed, or what is predicted."""
    which = round(number(values, "which", PREDICTED, _MOST_SEEDS))
    yield _look(desk, _known(desk, values), which)


def _look(desk: Desk, known: Known, which: int) -> Reply:
    """One field, its errors, and all numbers."""
    task, found = desk.signal.whole, known.field_of(which)
    content = {
        "which": which,
        "steps": known.steps,
        "choice": {"name": known.choice.name, "bandwidth": known.choice.bandwidth},
        "flat": known.stage.flat_range,
        "rows": _rows(known),
    }
    if found is None:
        return Reply(content)
    errors = error_map(task, found)
    arrays = {
        "picture": drawn(found),
        "seen": errors.seen.float().numpy(),
        "unseen": errors.unseen.float().numpy(),
    }
    fields = [s.field for s in known.whole if s.field is not None]
    if len(fields) > 1:
        arrays["spread"] = spread(fields).float().numpy()
    return Reply({**content, "verdict": errors.verdict, "share": errors.share}, arrays)


def _rows(known: Known) -> list[dict[str, Any]]:
    """What is predicted, and each seed."""
    said = next(row for row in known.stage.table if row.candidate == known.choice).at(known.steps)
    first = {
        "which": PREDICTED,
        "step": known.steps,
        "train": said.train,
        "held_out": said.held_out,
    }
    return [first, *(_row(s) for s in known.seeds.values())]


def _row(seen: Trained) -> dict[str, Any]:
    return {
        "which": seen.seed,
        "step": seen.step,
        "train": seen.train,
        "held_out": seen.held_out,
    }


def export(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """A file for the browser to save: the report, the weights of a seed, or a program.

    Raises:
        Refusal: The weights of a seed that was not trained.
    """
    known, shown = _known(desk, values), desk.signal
    what = one_of(values, "what", ("report", "weights", "code"))
    goal, steps = asked_of(values)
    stem = shown.name.rsplit(".", 1)[0] or "signal"
    whole = known.whole
    weights = f"{stem}-seed-{whole[0].seed}.safetensors" if whole else None
    if what == "weights":
        if weights is None:
            raise Refusal("no_weights", "No network was trained to its end yet. Train one first.")
        facts = about(Architecture.of(plan_of(shown.whole), known.choice), step=steps)
        name, content = weights, tensor_bytes(whole[0].network.state_dict(), facts)
    elif what == "code":
        name = f"{stem}.py"
        content = weights_program(shown, known.choice, goal, steps, weights).encode()
    else:
        name = f"{stem}-report.html"
        fields = [("predicted", known.predicted)]
        fields += [(f"trained, seed {s.seed}", s.field) for s in whole[:1] if s.field is not None]
        content = report_of(shown, known.stage, goal, steps, _rows(known), fields).encode()
    yield Reply({"what": what, "name": name}, {"file": np.frombuffer(content, np.uint8)})


ASKS: Mapping[str, Ask] = {
    "recommended": Ask(recommended, is_long=True),
    "train": Ask(train, is_long=True),
    "look": Ask(look),
    "export": Ask(export),
}
