"""The trainings and the choices of `choice_jobs`, saved as each ends.

    python -m benchmarks.choice_runs [--size full] [--items kodim05 speech] [--data ../shared/data] [--minutes 30]
        [--choices-alone]

The grid of an item: 8 bandwidths of Gaussian frequencies evenly on a logarithmic axis, from where `ntkit.tune` begins
its ladder to where it ends it (a quarter of the training samples along the longest axis, 10 at least). Of the video, along
time, the bandwidth is multiplied by the factor that was chosen; the other factors that the job tries are trained at the
best bandwidth found so. Where the first of the grid is its best, half of it is trained as well. Beside the grid: no encoding, the basic one, and the positional one of the candidates. All are
trained on what the task trains on for 2,000 steps of Adam, learning rate 1e-3, by the trainer of `ntkit fit`, with
the averaged weights where these fit the training samples better.

Of the photos that are no items there is no grid: what was chosen is trained, and the other encodings.

The choice is `ntkit.tune` with the same settings over the same 8 bandwidths. Times are seconds of the process, one thread.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from statistics import median

import numpy as np
import torch

import ntkit
from benchmarks.choice_items import ITEMS, PHOTOS, SIZES, Size, item
from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from ntkit.tasks import AbstractTask, Budget, Trainer, psnr
from ntkit.tuning import Candidate, NetworkPlan, TuneResult
from ntkit.tuning.candidates import candidates, default_bandwidths

PATH = RESULTS / "choice_runs.json"
STEPS = 2000
BANDWIDTHS = 8
OTHERS = ("identity", "basic", "positional")


class OutOfTime(Exception):
    """The minutes that were given are over."""


def read() -> dict[str, Entry]:
    """By `size|item|choice` and `size|item|candidate|seed`."""
    return kept_in(PATH)


def complete(
    size: str,
    names: tuple[str, ...] = (*ITEMS, *PHOTOS),
    data: Path = SHARED,
    minutes: float = inf,
    *,
    choices_alone: bool = False,
) -> None:
    """Choose and train what is missing; ends after the last case that began within so many minutes."""
    ends = time.monotonic() + 60 * minutes

    def kept(key: str, make: Callable[[], Entry]) -> Entry:
        found = read()
        if key not in found:
            if time.monotonic() > ends:
                raise OutOfTime
            made = make()
            found = keep(PATH, key, made)
            print(key, made, flush=True)
        return found[key]

    sized = SIZES[size]
    try:
        for name in names:
            try:
                task = item(name, sized, data)
            except FileNotFoundError as error:
                print(f"{name}: skipped. {error}")
                continue
            if choices_alone:
                kept(f"{size}|{name}|choice", partial(_chosen, task, sized))
            elif name in PHOTOS:
                _photo(f"{size}|{name}", task, sized, kept)
            else:
                _item(f"{size}|{name}", task, sized, kept)
    except OutOfTime:
        print("Out of time; a second start goes on.")


def _item(
    key: str, task: AbstractTask, size: Size, kept: Callable[[str, Callable[[], Entry]], Entry]
) -> None:
    """The choice, the grid with the factor it chose, and what stands beside the grid."""
    choice = kept(f"{key}|choice", partial(_chosen, task, size))
    axes = tuple(choice["axes"])

    def trained(candidate: Candidate) -> Entry:
        return kept(f"{key}|{candidate}|0", partial(train, task, size, candidate))

    others = candidates(task, OTHERS, None)
    trained(others[0])
    found = {b: trained(Candidate("gaussian", b, axes))["held_out"] for b in grid(task)}
    best = max(found, key=lambda b: found[b])
    if best == min(found):  # what lies below the ladder is worth knowing
        trained(Candidate("gaussian", best / 2, axes))
    for other in task.axis_factors:
        trained(Candidate("gaussian", best, other))
    for candidate in others[1:]:
        trained(candidate)


def _photo(
    key: str, task: AbstractTask, size: Size, kept: Callable[[str, Callable[[], Entry]], Entry]
) -> None:
    """The choice, the network that it says, and those on other encodings: no grid."""
    choice = kept(f"{key}|choice", partial(_chosen, task, size))
    chosen = Candidate("gaussian", choice["bandwidth"], tuple(choice["axes"]))
    for candidate in (*candidates(task, OTHERS, None), chosen):
        kept(f"{key}|{candidate}|0", partial(train, task, size, candidate))


def grid(task: AbstractTask) -> tuple[float, ...]:
    """Eight bandwidths over the ladder of the task."""
    ladder = default_bandwidths(task)
    return tuple(float(f"{b:.3g}") for b in np.geomspace(ladder[0], ladder[-1], BANDWIDTHS))


def _chosen(task: AbstractTask, size: Size) -> Entry:
    if not _warm:  # what torch loads at its first optimiser, as any training does
        _warm.append(True)
        _tuned(task, size, 20)
    start = time.process_time()
    result = _tuned(task, size, STEPS)
    took = time.process_time() - start
    at = {str(row.candidate): row.at(STEPS) for row in result.table}
    return {
        "candidate": str(result.choice),
        "bandwidth": result.bandwidth,
        "axes": list(result.choice.axes),
        "flat_range": result.flat_range,
        "seconds": round(took, 2),
        "step_seconds": round(_seconds_a_step(task, size, result.choice), 5),
        "speed": round(result.clock.speed, 3) if result.clock else None,
        "predicted": {c: round(p.held_out, 2) for c, p in at.items()},
        "models": {str(m.candidate): round(m.held_out, 2) for m in result.models},
    }


_warm: list[bool] = []


def _seconds_a_step(task: AbstractTask, size: Size, candidate: Candidate) -> float:
    """Of a training once it is under way: the median of twelve."""
    budget = Budget("adam", 1e-3, 20, size.batch_size)
    network = _plan(task, size, 0).trainable(candidate)
    stamps: list[float] = []
    trainer = Trainer(network, task, budget, average=True)
    trainer.run(evaluate_at=(), on_step=lambda *_: stamps.append(time.process_time()))
    return median(b - a for a, b in pairwise(stamps[-13:]))


def _plan(task: AbstractTask, size: Size, seed: int) -> NetworkPlan:
    return NetworkPlan(
        task.in_dim,
        task.n_outputs,
        width=size.width,
        n_frequencies=size.n_frequencies,
        seed=seed,
    )


def _tuned(task: AbstractTask, size: Size, steps: int) -> TuneResult:
    return ntkit.tune(
        task,
        steps=steps,
        encodings=("gaussian",),
        bandwidths=grid(task),
        width=size.width,
        n_frequencies=size.n_frequencies,
        batch_size=size.batch_size,
        families=("mlp",),
    )


def train(task: AbstractTask, size: Size, candidate: Candidate, seed: int = 0) -> Entry:
    """Train a network in full; PSNR in dB, and the seconds it took."""
    plan = _plan(task, size, seed)
    start = time.process_time()
    budget = Budget("adam", 1e-3, STEPS, size.batch_size)
    draw = torch.Generator().manual_seed(seed)
    trainer = Trainer(plan.trainable(candidate), task, budget, average=True, generator=draw)
    trainer.run()
    reached = trainer.evaluations[-1]
    return {
        "name": candidate.name,
        "bandwidth": candidate.bandwidth,
        "axes": list(candidate.axes),
        "held_out": round(psnr(reached.held_out), 3),
        "train": round(psnr(reached.train), 3),
        "seconds": round(time.process_time() - start, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="reduced")
    every = (*ITEMS, *PHOTOS)
    parser.add_argument("--items", nargs="+", choices=every, default=every)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--minutes", type=float, default=inf)
    parser.add_argument(
        "--choices-alone", action="store_true", help="choose, and time twelve steps of a training"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    complete(
        arguments.size,
        tuple(arguments.items),
        arguments.data,
        arguments.minutes,
        choices_alone=arguments.choices_alone,
    )


if __name__ == "__main__":
    main()
