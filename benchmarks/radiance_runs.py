"""The trainings of `radiance_fields`, one a case, saved as each ends.

    python -m benchmarks.radiance_runs [CASE ...] [--data FOLDER] [--scale 1.0] [--threads 1] [--out FILE]

What FILE already holds is not trained again. The data are 125 views of NeRF's synthetic "mic" at 100 and at 200
pixels (100 to train on, 25 to judge by), `mic_100.npz` and `mic_200.npz` of FOLDER, premultiplied; PSNR is on white,
of all pixels of the held-out views together, and beside it the mean over views, as papers print it.

Cases:

- `minutes`: how good after 5 and after 20 minutes of two cores, Gaussian features of bandwidth 8. Without two idle
  cores `--threads 1` counts seconds of the process's own core, 600 and 2,400 of them.
- `order`: none, basic, positional, gaussian; 4 x 256, 256 frequencies, equal steps.
- `cones`: trained at 200 pixels and at 100, by rays and by cones, shown at both; width 128, five views judge.
- `table1`: the protocol of Tancik et al. 2020 (arXiv:2006.10739), Table 1, NeRF: 4 x 256, 128 samples, 1,024 rays,
  learning rate 5e-4 (none 1e-2, basic 5e-3), Gaussian bandwidth 4.1 cycles per unit of the scene (26 without 2 pi),
  positional with frequencies to 2^5 / 2 cycles per unit. Ours takes silhouettes, so that rays through nothing are free.

`--scale 0.1` takes a tenth of the steps or seconds of each case, under keys of their own; of `table1` five views
judge then.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import nn

from benchmarks.kept import Entry, keep, read
from benchmarks.report import RESULTS
from ntkit.encodings import AbstractEncoding, Basic, Gaussian, Identity, Positional
from ntkit.networks import mlp
from ntkit.tasks import Budget, RadianceField, Trainer, psnr

PATH = RESULTS / "radiance_runs.json"
DATA = Path(__file__).parents[2] / "shared" / "data" / "nerf_mic"
CASES = ("minutes", "order", "cones", "table1")
BANDWIDTH = 8.0
"""Cycles per side of the box, which is 2.25 units of the scene."""

PAPER = 4.1
"""Cycles per unit of the scene."""


@dataclass(frozen=True)
class Case:
    """One training, and what it is shown at.

    Attributes:
        key: Its name.
        size: Pixels of the training views.
        encoding: From the side of the box, in units of the scene, and a generator.
        how: Options of the task.
        lr: Learning rate.
        batch_size: Rays a step.
        steps: Steps.
        seconds: After how many of the process's time it is judged, instead of steps.
        shown: Pixels of the held-out views.
        width: Units of each hidden layer.
        judges: Of the 25 held-out views, how many.
    """

    key: str
    size: int
    encoding: Callable[[float, torch.Generator], AbstractEncoding]
    how: dict[str, Any]
    lr: float = 1e-3
    batch_size: int = 2048
    steps: int = 1000
    seconds: tuple[float, ...] = ()
    shown: tuple[int, ...] = ()
    width: int = 256
    judges: int = 25


def gaussian(side: float, generator: torch.Generator) -> AbstractEncoding:
    del side
    return Gaussian(3, 256, BANDWIDTH, generator)


ORDER: dict[str, Callable[[float, torch.Generator], AbstractEncoding]] = {
    "none": lambda side, generator: Identity(3),
    "basic": lambda side, generator: Basic(3),
    "positional": lambda side, generator: Positional(3, 86, 16.0),
    "gaussian": gaussian,
}

PRINTED: dict[str, Callable[[float, torch.Generator], AbstractEncoding]] = {
    "none": ORDER["none"],
    "basic": lambda side, generator: Basic(3),
    "positional": lambda side, generator: Positional(3, 86, 16.0 * side),
    "gaussian": lambda side, generator: Gaussian(3, 256, PAPER * side, generator),
}
RATES = {"none": 1e-2, "basic": 5e-3}


def cases(scale: float, threads: int) -> Iterator[Case]:
    """All trainings, in the order in which they are worth having."""
    quick = {"n_samples": 64}
    seconds = tuple(scale * minutes * 60 * (2 if threads == 1 else 1) for minutes in (5, 20))
    yield Case("minutes", 100, gaussian, quick, lr=2e-3, steps=10**6, seconds=seconds)
    for name, encoding in ORDER.items():
        yield Case(f"order|{name}", 100, encoding, quick, steps=round(600 * scale))
    for size in (200, 100):
        for cones in (False, True):
            key = f"cones|{size}|{'cones' if cones else 'rays'}"
            how = {**quick, "cones": cones}
            steps = round(1200 * scale)
            yield Case(
                key,
                size,
                gaussian,
                how,
                lr=2e-3,
                steps=steps,
                shown=(100, 200),
                width=128,
                judges=5,
            )
    for name, encoding in PRINTED.items():
        yield Case(
            f"table1|{name}",
            100,
            encoding,
            {"n_samples": 128},
            lr=RATES.get(name, 5e-4),
            batch_size=1024,
            steps=round(2000 * scale),
            judges=25 if scale == 1 else 5,
        )


class _Enough(Exception):
    """The time is over."""


def run(case: Case, data: Path) -> Iterator[tuple[str, Entry]]:
    """Train once; what it reached at each time and size, by key."""
    start = time.perf_counter()
    task = RadianceField(data / f"mic_{case.size}.npz", **case.how)
    generator = torch.Generator().manual_seed(0)
    encoding = case.encoding(task.scene.side, generator)
    network = mlp(encoding, 4, width=case.width, generator=generator)
    budget = Budget(lr=case.lr, steps=case.steps, batch_size=case.batch_size)
    trainer = Trainer(network, task, budget, average=True, generator=generator)
    read, spent, clock = time.perf_counter() - start, 0.0, _clock()
    for seconds in case.seconds or (float("inf"),):
        begun = clock()
        with suppress(_Enough):
            trainer.run(evaluate_at=[], on_step=_until(seconds - spent, clock))
        spent += clock() - begun
        kept = {k: v.clone() for k, v in trainer.state().items()}
        trainer.take_better()
        for size in case.shown or (case.size,):
            entry = judged(network, task, data / f"mic_{size}.npz", case)
            suffix = f"|{seconds:g} s" if case.seconds else f"|at {size}" if case.shown else ""
            yield (
                case.key + suffix,
                {
                    **entry,
                    "steps": trainer.step,
                    "seconds": round(spent, 1),
                    "read": round(read, 1),
                    "threads": torch.get_num_threads(),
                },
            )
        trainer.restore(kept)


def _until(seconds: float, clock: Callable[[], float]) -> Callable[[int, float], None]:
    """What ends a training after so long."""
    begun = clock()

    def on_step(step: int, loss: float) -> None:
        del step, loss
        if clock() - begun > seconds:
            raise _Enough

    return on_step


def _clock() -> Callable[[], float]:
    """Seconds of the process's cores where it has one thread, so that a busy machine is none the slower."""
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def judged(network: nn.Module, task: RadianceField, path: Path, case: Case) -> Entry:
    """PSNR of the held-out views of a file, in the box of the training."""
    low = task.scene.low
    box = (*low, *(v + task.scene.side for v in low))
    other = RadianceField(path, **case.how, box=box)
    n = sum(other.held_out)
    rows, colours = (
        part.reshape(n, -1, part.shape[1])[:: n // case.judges].flatten(0, 1)
        for part in other.judged()
    )
    with torch.no_grad():
        parts = [other.predict(network, part) for part in rows.split(8192)]
    errors = (torch.cat(parts).clamp(0, 1) - colours).square().mean(1).double()
    views = errors.reshape(case.judges, -1).mean(1)
    return {
        "psnr": round(psnr(float(errors.mean())), 2),
        "mean over views": round(mean(psnr(float(v)) for v in views), 2),
        "box": round(task.scene.side, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=PATH)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if not (arguments.data / "mic_100.npz").exists():
        print(f"skipped: there is no mic_100.npz in {arguments.data}.")
        return
    runs = read(arguments.out)
    mark = "" if arguments.scale == 1 else f"|{arguments.scale:g} of the steps"
    for case in cases(arguments.scale, arguments.threads):
        wanted = not arguments.cases or any(case.key.startswith(c) for c in arguments.cases)
        alike = [k for k in runs if k.startswith(case.key) and k.endswith(mark)]
        if not wanted or any(mark or "of the steps" not in k for k in alike):
            continue
        for key, entry in run(case, arguments.data):
            keep(arguments.out, key + mark, entry)
            print(key + mark, entry, flush=True)


if __name__ == "__main__":
    main()
