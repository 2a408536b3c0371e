"""The trainings and the scale models of `family_choice`, saved as each ends.

    python -m benchmarks.family_runs [--items chelsea speech] [--data ../shared/data] [--minutes 30] [--seeds 0 1]

The grid of an item: five families of networks, each at four bandwidths an octave apart, as many parameters each as the ReLU network on Gaussian features has, trained for 500 steps of Adam at
the usual rate of the family, on what the task trains on, by the trainer of `ntkit fit`, with two seeds. Beside
it the scale models of all twenty, on each of four pieces. At the usual size (4 x 256, batches of 4,096) some steps of both
are timed. Times are seconds of the process, one thread.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import torch

from benchmarks.choice_items import SIZES, item
from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from benchmarks.table1_pictures import picture
from ntkit.networks.families import FAMILIES
from ntkit.tasks import AbstractTask, Audio, Budget, Image, Trainer
from ntkit.tuning import Candidate, NetworkPlan
from ntkit.tuning.ladders import ladder_of
from ntkit.tuning.parts import parts_of
from ntkit.tuning.trials import trials

PATH = RESULTS / "family_runs.json"
STEPS = 500
SCALE, PIECES = 4, 4
IMAGES, SOUNDS = (
    ("chelsea", "text0", "kodim23", "kodim05"),
    ("speech", "piano", "speech48", "piano48"),
)
ITEMS = ("speech", "chelsea", "piano48", "text0", "mri", "piano", "kodim23", "speech48", "kodim05")
"""Mixed, so that each kind is there early."""

_SIZE = replace(SIZES["reduced"], pixels=128, samples=7500)
_WIDTH, _DEPTH, _BATCH = 64, 3, 512
_CLIP = 8192 / 48_000  # seconds of the sounds that keep their rate


class OutOfTime(Exception):
    """The minutes that were given are over."""


def read() -> dict[str, Entry]:
    """By `item|candidate|seed` and `item|trials|seed`."""
    return kept_in(PATH)


def complete(
    names: tuple[str, ...],
    data: Path = SHARED,
    minutes: float = inf,
    seeds: tuple[int, ...] = (0, 1),
) -> None:
    """Train what is missing; ends after the last case that began within so many minutes."""
    ends = time.monotonic() + 60 * minutes

    def kept(key: str, make: Callable[[], Entry]) -> None:
        if key in read():
            return
        if time.monotonic() > ends:
            raise OutOfTime
        made = make()
        keep(PATH, key, made)
        print(key, str(made)[:150], flush=True)

    try:
        kept("usual size|cost|0", _cost)
        for seed in seeds:
            for name in names:
                try:
                    task = made(name, data)
                except FileNotFoundError as error:
                    print(f"{name}: skipped. {error}")
                    continue
                kept(f"{name}|trials|{seed}", partial(_tried, task, seed))
                for candidate in grid(task):
                    kept(f"{name}|{candidate}|{seed}", partial(_trained, task, candidate, seed))
    except OutOfTime:
        print("Out of time; a second start goes on.")


def made(name: str, data: Path) -> AbstractTask:
    """The task of that name.

    Raises:
        FileNotFoundError: It is of `../shared/data` (`data`), which is not there.
    """
    if name.startswith("text"):
        return Image(torch.from_numpy(picture(name, _SIZE.pixels)))
    if not name.endswith("48"):
        return item(name, _SIZE, data)
    file = data / "audio" / ("speech.wav" if name == "speech48" else "piano_c4.ogg")
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    start = 0.3 if name == "speech48" else 0.05
    whole = Audio(file, start=start, stop=start + _CLIP)
    return Audio(whole.values[:, 0], rate=whole.rate)


def grid(task: AbstractTask) -> list[Candidate]:
    """Five families at four bandwidths."""
    return [c for family in FAMILIES for c in ladder_of(family, task)]


def _plan(task: AbstractTask, seed: int) -> NetworkPlan:
    return NetworkPlan(
        task.in_dim, task.n_outputs, width=_WIDTH, depth=_DEPTH, n_frequencies=_WIDTH, seed=seed
    )


def _trained(task: AbstractTask, candidate: Candidate, seed: int) -> Entry:
    """A network in full; its quality, and the seconds it took."""
    start = time.process_time()
    budget = Budget("adam", 1e-3, STEPS, _BATCH)
    own = candidate.own(budget)
    draw = torch.Generator().manual_seed(seed)
    network = _plan(task, seed).trainable(candidate)
    trainer = Trainer(network, task, own, average=True, generator=draw)
    trainer.run()
    reached = trainer.evaluations[-1]
    return {
        "held_out": round(task.metric.quality(reached.held_out), 4),
        "train": round(task.metric.quality(reached.train), 4),
        "seconds": round(time.process_time() - start, 2),
    }


def _tried(task: AbstractTask, seed: int) -> Entry:
    """The sums of the metric over each piece, by candidate and steps, and the seconds of each family."""
    parts = parts_of(task, SCALE**2, PIECES)
    assert parts is not None, "an item is large enough for its pieces"
    budget = Budget("adam", 1e-3, STEPS, _BATCH)
    found: Entry = {"seconds": {}, "held_out": {}, "train": {}}
    for name in FAMILIES:
        tried = [c for c in grid(task) if c.family == name]
        start = time.process_time()
        moments = (STEPS // 4, STEPS // 2, 3 * STEPS // 4)
        plan = _plan(task, seed + 100)
        of = trials(task, parts, budget, tried, plan=plan, scale=SCALE, moments=moments)
        found["seconds"][name] = round(time.process_time() - start, 2)
        for trial in of:
            found["held_out"][str(trial.candidate)] = _plain(trial.held_out)
            found["train"][str(trial.candidate)] = _plain(trial.train)
    return found


def _cost() -> Entry:
    """Seconds of a step at the usual size: of four trials of each family, and of a training."""
    task = Image(torch.from_numpy(picture("chelsea", 256)))
    parts = parts_of(task, 36, 8)
    assert parts is not None, "the picture is large enough"
    plan, budget = NetworkPlan(2, 3), Budget("adam", 1e-3, 5, 4096)
    found: Entry = {"trials": {}, "training": {}}
    for name in FAMILIES:
        tried = ladder_of(name, task)
        took = []  # the first time torch loads what it needs
        for steps in (5, 5, 25):
            start = time.process_time()
            trials(task, parts, budget.with_steps(steps), tried, plan=plan, scale=6)
            took.append(time.process_time() - start)
        found["trials"][name] = round((took[2] - took[1]) / 20, 5)
        stamps: list[float] = []
        trainer = Trainer(plan.trainable(tried[2]), task, budget, average=True)
        trainer.run(evaluate_at=(), on_step=lambda *_, at=stamps: at.append(time.process_time()))
        found["training"][name] = round((stamps[-1] - stamps[0]) / 4, 5)
    return found


def _plain(sums: Any) -> dict[str, list[list[float]]]:
    return {
        str(k): [[float(f"{v:.6g}") for v in row] for row in s.tolist()] for k, s in sums.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", nargs="+", choices=ITEMS, default=ITEMS)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--minutes", type=float, default=inf)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    complete(tuple(arguments.items), arguments.data, arguments.minutes, tuple(arguments.seeds))


if __name__ == "__main__":
    main()
