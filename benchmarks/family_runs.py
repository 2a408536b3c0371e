"""The trainings and the scale models of `family_choice`, saved as each ends.

    python -m benchmarks.family_runs [--items chelsea speech] [--data ../shared/data] [--minutes 30] [--seeds 0 1]

The grid of an item: five families of networks, each at four bandwidths an octave apart, as many parameters each as the
ReLU network on Gaussian features has, trained for 1,000 steps of Adam at the usual rate of the family
(of networks of sines it falls to 0 over the second half), on what the
task trains on, by the trainer of `ntkit fit`, with two seeds; of the radiance field three families at three bandwidths.
Beside it the scale models of them all, on each of four pieces, and what `ntkit.tune` says, asked for the same budget,
networks, families and Gaussian bandwidths. At the usual size (4 x 256, batches of 4,096) some steps
of both are timed. Times are seconds of the process, one thread.

Three by 64 units, 64 frequencies; batches of 512 samples, of the field 512 rays of 32 samples. The meshes are those of
`benchmarks.meshes` (65,536 points to train on), the field is "mic" of `../shared/data`, shrunk to 50 pixels. The first
seed of all items comes first, then what `ntkit.tune` says without a run-off; last the run-off of the two that it puts first,
where its models set them less than two standard errors apart: by the seed of `ntkit.tune`, and by three others.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import torch

import ntkit
from benchmarks.choice_items import SIZES, item
from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.meshes import shape
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from benchmarks.table1_pictures import picture
from ntkit.networks.families import FAMILIES
from ntkit.tasks import AbstractTask, Audio, Budget, Image, RadianceField, Trainer
from ntkit.tuning import Candidate, NetworkPlan
from ntkit.tuning.candidates import MLP
from ntkit.tuning.comparison import Lead
from ntkit.tuning.ladders import ladder_of
from ntkit.tuning.parts import parts_of
from ntkit.tuning.run_off import Contender, is_near, ran_off, share_of, trained_briefly
from ntkit.tuning.trials import trials

PATH = RESULTS / "family_runs.json"
STEPS = 1000
SCALE, PIECES = 4, 4
OWN = 0
"""The seed of the run-off of `ntkit.tune`: that of the network which is trained in full."""

RUN_OFFS = (50, 51, 52)
"""Seeds of run-offs that have none with the grid, which judges them, in common."""

KINDS = {
    "image": ("chelsea", "text0", "kodim23", "kodim05"),
    "sound": ("speech", "piano", "speech48", "piano48"),
    "volume": ("mri",),
    "shape": ("bunny00", "elephant"),
    "field": ("mic",),
}
ITEMS = (
    *("speech", "chelsea", "bunny00", "mri", "mic", "piano48"),
    *("text0", "piano", "elephant", "kodim23", "speech48", "kodim05"),
)
"""Mixed, so that each kind is there early."""

FIELD_FAMILIES = ("mlp", "siren", "hash")
"""Of the field; at the three upper bandwidths, of which the usual one is the middle."""

_SIZE = replace(SIZES["reduced"], pixels=128, samples=7500)
_WIDTH, _DEPTH, _BATCH, _RAYS = 64, 3, 512, 512
_POINTS, _SAMPLES = 2**16, 32  # of a shape, and of a ray
_CLIP = 8192  # samples of the sounds that keep their rate, 48,000 a second


class OutOfTime(Exception):
    """The minutes that were given are over."""


def read() -> dict[str, Entry]:
    """By `item|candidate|seed`, `item|trials|seed`, `item|tune|0` and, of run-offs, `item|eighth|candidate|seed`."""
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

    def each(seed: int, *, is_tried: bool, is_trained: bool, is_asked: bool = False) -> None:
        for name, task in made_of(names, data):
            if is_tried:
                kept(f"{name}|trials|{seed}", partial(_tried, task, seed))
            if is_asked:
                kept(f"{name}|tune|{seed}", partial(_tuned, task))
            for candidate in grid(task) if is_trained else ():
                kept(f"{name}|{candidate}|{seed}", partial(_trained, task, candidate, seed))

    try:
        kept("usual size|cost|0", _cost)
        for seed in seeds:
            each(seed, is_tried=seed == 0, is_trained=True)
        each(0, is_tried=True, is_trained=False, is_asked=True)
        for name, task in made_of(names, data):
            for candidate in near_ties(read()[f"{name}|tune|0"]["rows"]):
                for seed in (OWN, *RUN_OFFS):
                    own = partial(ran, task, parsed(candidate), _plan(task, seed), _budget(task))
                    kept(f"{name}|eighth|{candidate}|{seed}", own)
    except OutOfTime:
        print("Out of time; a second start goes on.")


def near_ties(rows: Mapping[str, Sequence[float]]) -> list[str]:
    """The two first rows of `ntkit.tune`, if a run-off decides between them; else none.

    Args:
        rows: By candidate how much the first is better than it, and the standard error of that.
    """
    first, second = [*rows][:2]
    return [first, second] if is_near(Lead(*rows[second])) else []


def run_off(rows: Mapping[str, Sequence[float]], eighths: Mapping[str, float]) -> str | None:
    """What `ntkit.tune` takes by what each of near ties reached in an eighth of the steps; None while that is not known."""
    two = near_ties(rows)
    if not all(c in eighths for c in two):
        return None
    return max(two, key=lambda c: eighths[c]) if two else next(iter(rows))


def eighths_of(found: Mapping[str, Entry], name: str, seed: int = OWN) -> dict[str, float]:
    """What candidates reached on held-out samples in an eighth of the steps, by one seed."""
    return {c: entry["held_out"] for c, entry in _eighths(found, name, seed)}


def run_off_seconds(found: Mapping[str, Entry], name: str, seed: int = OWN) -> float:
    """What the trainings of a run-off took; 0 where there was none."""
    return sum(entry["seconds"] for _, entry in _eighths(found, name, seed))


def _eighths(found: Mapping[str, Entry], name: str, seed: int) -> list[tuple[str, Entry]]:
    parts = ((key.split("|"), entry) for key, entry in found.items())
    return [(key[2], e) for key, e in parts if key[:2] == [name, "eighth"] and key[3] == str(seed)]


def ran(task: AbstractTask, candidate: Candidate, plan: NetworkPlan, budget: Budget) -> Entry:
    """A network in the run-off of `ntkit.tune` for this plan and budget; and the seconds."""
    start = time.process_time()
    own = plan.budget_of(candidate, budget.with_steps(share_of(budget.steps)))
    [reached] = ran_off([Contender(candidate, task, plan, own)], trained_briefly)
    return {
        "held_out": round(reached.held_out, 4),
        "train": round(reached.train, 4),
        "seconds": round(time.process_time() - start, 2),
    }


def parsed(candidate: str) -> Candidate:
    """A candidate by what it is called: a name and a bandwidth."""
    name, bandwidth = candidate.split()
    return Candidate(name, float(bandwidth))


def made_of(names: Sequence[str], data: Path) -> Iterator[tuple[str, AbstractTask]]:
    """The tasks of these names; of what is not there it says so."""
    for name in names:
        try:
            yield name, made(name, data)
        except FileNotFoundError as error:
            print(f"{name}: skipped. {error}")


def made(name: str, data: Path) -> AbstractTask:
    """The task of that name.

    Raises:
        FileNotFoundError: It is of `../shared/data` (`data`) or a mesh, and not there.
    """
    if name in KINDS["shape"]:
        return shape(name, _POINTS)
    if name in KINDS["field"]:
        file = _there(data / f"nerf_{name}" / f"{name}_100.npz")
        return RadianceField(file, n_samples=_SAMPLES, downscale=2)
    if name.startswith("text"):
        return Image(torch.from_numpy(picture(name, _SIZE.pixels)))
    if not name.endswith("48"):
        return item(name, _SIZE, data)
    return stretch(name, data, _CLIP)


def stretch(name: str, data: Path, samples: int) -> Audio:
    """So many samples of the spoken words ("speech48") or the piano note ("piano48"), at 48 kHz.

    Raises:
        FileNotFoundError: It is not there.
    """
    file = _there(data / "audio" / ("speech.wav" if name == "speech48" else "piano_c4.ogg"))
    start = 0.3 if name == "speech48" else 0.05
    whole = Audio(file, start=start, stop=start + samples / 48_000)
    return Audio(whole.values[:, 0], rate=whole.rate)


def grid(task: AbstractTask) -> list[Candidate]:
    """Five families at four bandwidths; of a field three at three."""
    if task.kind == "field":
        return [c for family in FIELD_FAMILIES for c in ladder_of(family, task)[1:]]
    return [c for family in FAMILIES for c in ladder_of(family, task)]


def _budget(task: AbstractTask) -> Budget:
    return Budget("adam", 1e-3, STEPS, _RAYS if task.kind == "field" else _BATCH)


def _there(file: Path) -> Path:
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there.")
    return file


def _plan(task: AbstractTask, seed: int) -> NetworkPlan:
    return NetworkPlan(
        task.in_dim, task.n_outputs, width=_WIDTH, depth=_DEPTH, n_frequencies=_WIDTH, seed=seed
    )


def _trained(task: AbstractTask, candidate: Candidate, seed: int) -> Entry:
    """A network in full; its quality, and the seconds it took."""
    start = time.process_time()
    own = _plan(task, seed).budget_of(candidate, _budget(task))
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
    budget = _budget(task)
    found: Entry = {"seconds": {}, "held_out": {}, "train": {}}
    for name in dict.fromkeys(c.family for c in grid(task)):
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


def _tuned(task: AbstractTask) -> Entry:
    """What `ntkit.tune` says without a run-off, and the seconds that it takes."""
    cells, start = grid(task), time.process_time()
    result = ntkit.tune(
        task,
        steps=STEPS,
        batch_size=_budget(task).batch_size,
        encodings=("gaussian",),
        bandwidths=[c.bandwidth for c in cells if c.family == MLP and c.bandwidth],
        width=_WIDTH,
        depth=_DEPTH,
        n_frequencies=_WIDTH,
        families=tuple(dict.fromkeys(c.family for c in cells)),
        run_off=None,
    )
    return {
        "choice": str(result.choice),
        "rows": {
            str(r.candidate): [round(v, 4) for v in (r.behind.gain, r.behind.noise)]
            for r in result.families
        },
        "seconds": round(time.process_time() - start, 2),
    }


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
