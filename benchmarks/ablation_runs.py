"""The predictions and the scale models of `ablation`, saved as each ends.

    python -m benchmarks.ablation_runs [--signals a,b] [--models] [--minutes 30]

Without `--models`: what the kernel predicts of ten bandwidths after 300 and 2,000 steps, by the model of Adam as it
is and with one mechanism changed at a time; the short run that sets Adam's clock is made once, and its speed found
again for each change. With it: the errors that scale models of all ten reach on each of eight
pieces (one training of 2,000 steps, looked at after 300). A second start goes on; one thread.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any

import torch

from benchmarks.adam_curves import changed
from benchmarks.bandwidth_choice import STEPS
from benchmarks.choice_items import SIZES, item
from benchmarks.choice_runs import grid
from benchmarks.kept import Entry, keep, read
from benchmarks.reference_grids import BANDWIDTHS
from benchmarks.report import RESULTS
from benchmarks.signals import load
from ntkit.tasks import AbstractSamples, Budget, psnr, train
from ntkit.tuning import NetworkPlan
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.optimisers import Adam, adam_flow, alignment, clock
from ntkit.tuning.parts import parts_of
from ntkit.tuning.problems import AbstractProblem
from ntkit.tuning.question import Question
from ntkit.tuning.stages import clock_of, quickest
from ntkit.tuning.trials import trials

PATH = RESULTS / "ablation_cases.json"
TRIED = tuple(Candidate("gaussian", float(b)) for b in BANDWIDTHS)


def variants() -> Iterator[tuple[str, AbstractContextManager[None]]]:
    """A name, and constants for a while; each change with a clock that it set itself."""
    yield "now", nullcontext()
    yield "now, no gain", changed(adam_flow, GAIN=0.0)
    yield "now, a gain of 0.01", changed(adam_flow, GAIN=0.01)
    yield "now, no cross-talk", changed(adam_flow, CROSS_TALK=0.0)
    yield "now, no spread", changed(adam_flow, SPREAD=inf)
    yield "now, no power of the batch", changed(clock, _BY_BATCH=0.0)


DEFAULT = "now, the default speed"
ALIGNED = {"now, no alignment": 0, "now, alignment in all steps": 10**9}
"""Steps in which features align."""


@dataclass(frozen=True)
class Setting:
    """A task, the network that is trained on it, and its bandwidths.

    Attributes:
        task: What is fitted.
        plan: The network.
        tried: Gaussian encodings.
        steps: Budgets.
        batch_size: Samples a step.
    """

    task: AbstractSamples
    plan: NetworkPlan
    tried: tuple[Candidate, ...]
    steps: tuple[int, ...]
    batch_size: int


def setting(name: str) -> Setting:
    """That of `reference_ensembles`; of names that begin with "small ", that of `choice_runs` at reduced size."""
    if name.startswith("small "):
        size = SIZES["reduced"]
        task = item(name.removeprefix("small "), size)
        assert isinstance(task, AbstractSamples)
        plan = NetworkPlan(
            task.in_dim, task.n_outputs, width=size.width, n_frequencies=size.n_frequencies
        )
        tried = tuple(Candidate("gaussian", b) for b in grid(task))
        return Setting(task, plan, tried, (2000,), size.batch_size)
    signal = load(name)
    plan = NetworkPlan(signal.in_dim, signal.n_outputs)
    return Setting(signal, plan, TRIED, STEPS, 4096)


def complete(names: list[str], *, models: bool, minutes: float) -> None:
    """What is missing, until the minutes are over."""
    ends = time.monotonic() + 60 * minutes
    for name in names:
        for key, make in (_models if models else _predictions)(name):
            if time.monotonic() > ends:
                return
            start = time.process_time()
            for own, entry in make().items():
                keep(PATH, own, entry)
            print(key, round(time.process_time() - start, 1), "s", flush=True)


Made = Callable[[], dict[str, Entry]]


def _predictions(name: str) -> Iterator[tuple[str, Made]]:
    own = setting(name)
    losses: dict[str, list[float]] = {}
    for steps in own.steps:
        key = f"{name}|{steps}|"
        question = Question(
            own.task,
            "generalise",
            Adam(Budget("adam", 1e-3, steps, own.batch_size)),
            own.plan,
            own.tried,
            "periodic",
            pilot=True,
            say=lambda _: None,
        )
        known = read(PATH)
        if any(key + v not in known for v, _ in variants()):
            yield key, partial(_changed_constants, key, question, losses)
        for variant, aligned in ALIGNED.items():
            if key + variant not in known:
                yield key + variant, partial(_aligned, key + variant, question, losses, aligned)


def _changed_constants(
    key: str, question: Question, losses: dict[str, list[float]]
) -> dict[str, Entry]:
    problems = [question.problem(c) for c in question.tried]
    found = {}
    for variant, context in variants():
        with context:
            found[key + variant] = _predicted(question, problems, losses)
    speed = question.optimiser.default_clock(problems[0].modes.n_samples)
    found[key + DEFAULT] = _predicted(question, problems, losses, speed.speed if speed else None)
    return found


def _aligned(
    key: str, question: Question, losses: dict[str, list[float]], steps: int
) -> dict[str, Entry]:
    with changed(alignment, _STEPS=steps):
        problems = [question.problem(c) for c in question.tried]
    return {key: _predicted(question, problems, losses)}


def _predicted(
    question: Question,
    problems: list[AbstractProblem],
    losses: dict[str, list[float]],
    speed: float | None = None,
) -> Entry:
    """PSNR of each bandwidth; the short run of a bandwidth is made once, and its losses are read again after."""
    if speed is None:
        speed = _measured(question, problems, losses)
    modes, steps = [p.modes for p in problems], question.budget.steps
    runs = question.optimiser.trajectories(modes, [steps], speed=speed)
    found: Entry = {"speed": round(speed, 3), "train": [], "held_out": []}
    found["tried"] = [str(c) for c in question.tried]
    for problem, run in zip(problems, runs, strict=True):
        found["train"].append(round(psnr(float(problem.modes.error(run.decay)[0])), 3))
        found["held_out"].append(round(psnr(float(problem.held_out_error(run)[0])), 3))
    return found


def _measured(
    question: Question, problems: list[AbstractProblem], losses: dict[str, list[float]]
) -> float:
    first = str(quickest(question, [p.modes for p in problems]))

    def rerun(*arguments: Any, on_step: Callable[[int, float], None], **options: Any) -> None:
        if first not in losses:
            own: list[float] = []
            train(*arguments, on_step=lambda _, loss: own.append(loss), **options)
            losses[first] = own
        for step, loss in enumerate(losses[first], start=1):
            on_step(step, loss)

    with changed(clock, train=rerun):
        found = clock_of(question, problems)
    assert found is not None, "Adam has a clock"
    return found.speed


def _models(name: str) -> Iterator[tuple[str, Made]]:
    key = f"{name}|models"

    def make() -> dict[str, Entry]:
        signal = load(name)
        plan = NetworkPlan(signal.in_dim, signal.n_outputs)
        parts = parts_of(signal, 36, range(8))
        assert parts is not None, name
        found = trials(
            signal,
            parts,
            Budget("adam", 1e-3, STEPS[-1], 4096),
            TRIED,
            plan=plan,
            scale=6,
            moments=STEPS[:-1],
        )
        entry = {
            str(steps): [
                [
                    [float(f"{signal.metric.error(s):.4g}") for s in kind[steps]]
                    for kind in (t.train, t.held_out)
                ]
                for t in found
            ]
            for steps in STEPS
        }
        return {key: entry}

    if key not in read(PATH):
        yield key, make


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--signals", required=True)
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--minutes", type=float, default=inf)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    complete(arguments.signals.split(","), models=arguments.models, minutes=arguments.minutes)


if __name__ == "__main__":
    main()
