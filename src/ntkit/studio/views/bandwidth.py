"""Bandwidth: predicted PSNR against it, one curve a budget, and the picture that is predicted at each of its points."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from ntkit.studio.asks import Ask, Reply, number, one_of
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import drawn
from ntkit.tasks import Budget, Signal
from ntkit.tuning import NetworkPlan, Row, sweep
from ntkit.tuning.candidates import default_bandwidths
from ntkit.tuning.choice import Goal, flat_range, scores_of

__all__ = ["ASKS", "LADDER", "Ladder", "Step"]

LADDER = (
    *(1.0, 1.4, 2.0, 2.8, 4.0, 5.0, 6.0, 7.0, 8.5, 10.0, 12.0, 14.0, 17.0, 20.0, 24.0, 28.0, 34.0),
    *(40.0, 48.0, 64.0),
)
"""Bandwidths, cycles per unit, of which the page shows those up to half of the pixels of the longer side."""

_RATES = {"adam": 1e-3, "sgd": 0.3}
_KEPT = 4  # ladders, of some twenty megabytes each
_GOALS: tuple[Goal, ...] = ("generalise", "fit")


@dataclass(frozen=True, eq=False)
class Step:
    """What is known of one bandwidth: a fifth of the memory that its kernel takes.

    Attributes:
        row: Predicted quality.
        pictures: What the network is predicted to have learned, at each budget of the row.
    """

    row: Row
    pictures: tuple[np.ndarray, ...]


class Ladder:
    """The rungs of one budget, as far as they are known: coarse ones first.

    Args:
        task: What is fitted.
        budget: How it is trained.
    """

    def __init__(self, task: Signal, budget: Budget) -> None:
        self.task = task
        self.budget = budget
        self.plan: NetworkPlan = NetworkPlan(
            task.in_dim, task.n_outputs, width=task.width, depth=task.depth
        )
        top = max(task.shape) / 4
        is_line = task.in_dim == 1
        ladder = default_bandwidths(task) if is_line else LADDER
        self.bandwidths: tuple[float, ...] = tuple(
            b for b in ladder if is_line or b <= max(top, 10.0)
        )
        self.rungs: dict[float, Step] = {}

    def missing(self) -> list[tuple[float, ...]]:
        """Bandwidths that are still to be computed, some at a time."""
        n = len(self.bandwidths)
        order = [*range(0, n, 4), *range(2, n, 4), *range(1, n, 2)]
        left = [self.bandwidths[i] for i in order if self.bandwidths[i] not in self.rungs]
        return [tuple(left[i : i + 3]) for i in range(0, len(left), 3)]

    def compute(self, bandwidths: tuple[float, ...]) -> None:
        """Add the rungs of some bandwidths."""
        found = sweep(self.task, bandwidths, budget=self.budget, plan=self.plan)
        for rung in found:
            pictures = tuple(drawn(rung.field(steps)) for steps in rung.steps)
            self.rungs[rung.bandwidth] = Step(rung.row, pictures)

    def rows(self) -> list[Row]:
        """The rungs that are known, in rising order."""
        known = dict(self.rungs)
        return [known[b].row for b in sorted(known)]


def _ladder(desk: Desk, values: Mapping[str, Any]) -> Ladder:
    optimiser = one_of(values, "optimiser", ("adam", "sgd"))
    steps = round(number(values, "steps", 20, 20_000))
    budget = Budget("adam" if optimiser == "adam" else "sgd", _RATES[optimiser], steps)
    task = desk.signal.task
    ladders: Drawer[Budget, Ladder] = desk.drawer("bandwidth", _KEPT)
    return ladders.kept(budget, lambda: Ladder(task, budget))


def curve(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """PSNR of all rungs, as they become known."""
    ladder = _ladder(desk, values)
    goal = one_of(values, "goal", _GOALS)
    missing = ladder.missing()
    for bandwidths in missing:
        ladder.compute(bandwidths)
        yield _curves(ladder, goal)  # pyright: ignore[reportArgumentType]
    if not missing:
        yield _curves(ladder, goal)  # pyright: ignore[reportArgumentType]


def _curves(ladder: Ladder, goal: Goal) -> Reply:
    rows = ladder.rows()
    baseline = ladder.task.baseline()
    attribute = "held_out" if goal == "generalise" else "train"
    steps = [p.steps for p in rows[0].predictions]
    flat = [flat_range(scores_of(rows, (), goal, s)) for s in steps]
    return Reply({
        "bandwidths": [row.candidate.bandwidth for row in rows],
        "steps": [None if s == inf else s for s in steps],
        "psnr": [[getattr(row.at(s), attribute) for row in rows] for s in steps],
        "flat": flat,
        "baseline": baseline and {"name": baseline.name, "psnr": baseline.held_out},
        "known": len(rows),
        "all": len(ladder.bandwidths),
        "network": str(ladder.budget),
    })


def picture(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """What the network is predicted to have learned at one rung, at one budget.

    Raises:
        Refusal: The rung is not computed yet.
    """
    ladder = _ladder(desk, values)
    wanted = number(values, "bandwidth", 0.1, 1e6)
    rung = ladder.rungs.get(wanted)
    if rung is None:
        raise Refusal("not_ready", f"The bandwidth {wanted:g} is not computed yet.")
    at = round(number(values, "budget", 0, len(rung.pictures) - 1))
    said = rung.row.predictions[at]
    content = {
        "bandwidth": wanted,
        "budget": at,
        "held_out": said.held_out,
        "train": said.train,
    }
    yield Reply(content, {"picture": rung.pictures[at]})


def honest(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The picture itself, and what bicubic interpolation makes of every other pixel."""
    del values
    task = desk.signal.task
    arrays = {"picture": drawn(task.values), "bicubic": drawn(task.bicubic())}
    baseline = task.baseline()
    yield Reply({"bicubic": baseline and baseline.held_out}, arrays)


ASKS: Mapping[str, Ask] = {
    "curve": Ask(curve, is_long=True),
    "picture": Ask(picture),
    "honest": Ask(honest),
}
