"""Theory against reality: a network trained live beside what the kernel of infinite width predicts of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ntkit._core.pixels import rgba
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk, Drawer
from ntkit.studio.refusals import Refusal
from ntkit.tasks import Image
from ntkit.tasks.signal import with_error
from ntkit.tuning import Act, Rehearsal
from ntkit.tuning.rehearsal import TooNarrow

__all__ = ["ASKS", "WIDTHS"]

WIDTHS = (64, 128, 256, 512, 1024, 2048)
"""Units of each hidden layer."""

_KEPT = 4  # bandwidths and lengths of training


@dataclass(eq=False)
class _Run:
    """A network of one width, as far as it is trained."""

    width: int
    steps: int
    errors: list[float] = field(default_factory=list)
    looked: list[Act] = field(default_factory=list)

    def add(self, act: Act) -> None:
        self.errors.append(act.error)
        if act.picture is not None:
            self.looked.append(act)

    @property
    def is_whole(self) -> bool:
        return len(self.errors) > self.steps


@dataclass(eq=False)
class _Stage:
    """The theory, and the networks that were trained beside it."""

    theory: Rehearsal
    runs: dict[int, _Run] = field(default_factory=dict)

    def whole(self) -> list[_Run]:
        return [self.runs[width] for width in WIDTHS if self._is_whole(width)]

    def _is_whole(self, width: int) -> bool:
        return width in self.runs and self.runs[width].is_whole


def _stage(desk: Desk, values: Mapping[str, Any]) -> tuple[_Stage, int]:
    """The theory of what is asked for, and the width."""
    bandwidth = number(values, "bandwidth", 0.1, 1000)
    steps = round(number(values, "steps", 1, 2000))
    width = round(number(values, "width", 8, WIDTHS[-1]))
    task = desk.picture
    stages: Drawer[tuple[float, int], _Stage] = desk.drawer("reality", _KEPT)
    make = partial(_staged, task, bandwidth, steps)
    return stages.kept((bandwidth, steps), make), width


def _staged(task: Image, bandwidth: float, steps: int) -> _Stage:
    """The theory alone.

    Raises:
        Refusal: The picture is too narrow for it.
    """
    try:
        return _Stage(Rehearsal(task, bandwidth, steps=steps))
    except TooNarrow as error:
        height, width = task.shape
        raise Refusal("narrow", str(error), height=height, width=width) from None


def train(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """Train a network of one width, step by step; one that was trained before is shown at once."""
    stage, width = _stage(desk, values)
    run = stage.runs.get(width)
    if run is None or not run.is_whole:
        run = stage.runs[width] = _Run(width, stage.theory.steps)
        for act in stage.theory.trained(width):
            run.add(act)
            yield _so_far(stage, run)
    yield _so_far(stage, run)


def _so_far(stage: _Stage, run: _Run) -> Reply:
    """All curves, and the pictures of the newest step that was looked at."""
    theory, last = stage.theory, run.looked[-1]
    ends = stage.whole()
    content = {
        "width": run.width,
        "step": len(run.errors) - 1,
        "steps": theory.steps,
        "predicted": theory.errors,
        "trained": run.errors,
        "looked": [act.step for act in run.looked],
        "samples": theory.n_samples,
        "lr": theory.lr,
        "past": {
            "width": [end.width for end in ends],
            "distance": [end.looked[-1].distance for end in ends],
            "movement": [end.looked[-1].movement for end in ends],
            "kernel": [end.looked[-1].kernel_change for end in ends],
        },
    }
    shown, arrays = _pictures(stage, last)
    return Reply({**content, "shown": shown}, arrays)


def _pictures(stage: _Stage, act: Act) -> tuple[dict[str, Any], dict[str, Any]]:
    """One step: its numbers, and both pictures with their difference."""
    assert act.picture is not None
    assert act.predicted is not None
    pair = [("prediction", act.predicted), ("network", act.picture)]
    said = {
        "step": act.step,
        "distance": act.distance if act.step else 0.0,
        "movement": act.movement,
        "kernel": act.kernel_change,
    }
    return said, {
        "predicted": rgba(act.predicted),
        "trained": rgba(act.picture),
        "difference": rgba(with_error(pair)[-1][1]),
        "true": rgba(stage.theory.task.values),
    }


def frame(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The pictures of a step that was looked at before.

    Raises:
        Refusal: It was not.
    """
    stage, width = _stage(desk, values)
    run = stage.runs.get(width)
    at = round(number(values, "frame", 0, 10_000))
    if run is None or at >= len(run.looked):
        raise Refusal("not_ready", f"The network of width {width} has not come so far.")
    shown, arrays = _pictures(stage, run.looked[at])
    yield Reply({"width": width, "frame": at, "shown": shown}, arrays)


ASKS: Mapping[str, Ask] = {"train": Ask(train, is_long=True), "frame": Ask(frame)}
