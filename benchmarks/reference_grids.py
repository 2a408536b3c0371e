"""The reference for the choice of bandwidth: every bandwidth of every signal, trained in full.

    python -m benchmarks.reference_grids --out FILE [--signals a,b] [--bandwidths 1,2] [--steps 2000]

A 4 x 256 ReLU network in PyTorch's default initialisation on 256 Gaussian frequencies; Adam, learning
rate 1e-3; minibatches of 4,096 of every other sample along each axis; float32, one thread, seed 0.
About a minute and a half a run on one core, five hours for all. What FILE already holds is not trained
again, and the file is written after every run, so that it can be stopped at any time; give two
processes two files.

An entry is

- `seconds`, of training alone;
- `psnr`: steps to [training samples, held-out samples], dB, with the weights of the last step;
- `averaged`: the same with those or their running average, whichever fits the training samples better: what
  `train(..., average=True)` leaves. Runs of before that have none, and are made again;
- `window300`, `window2000`: the PSNR of the median of the batch losses over the last tenth of the steps,
  dB. Adam at a constant rate ends on a noisy step, by several dB in a good fit; this is what it hovers
  about. Runs of the first hour have none;
- `by`: the version of ntkit that trained it.

The entries of `results/reference_grids.json` without `by` come from the ancestor of this programme in
plain torch, to the same specification (seed 0 too, but other draws).
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from benchmarks.report import RESULTS
from benchmarks.signals import BESIDE, LISTED, load_all
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Evaluation, Signal, psnr, train
from ntkit.tasks.trainer import decayed_average, evaluate

BANDWIDTHS = (1, 2, 4, 7, 10, 14, 20, 30, 45, 60)
CHECKPOINTS = (100, 300, 2000)
WINDOWS = (300, 2000)
PATH = RESULTS / "reference_grids.json"

Entry = dict[str, Any]


def run(signal: Signal, bandwidth: float, steps: int, seed: int = 0) -> Entry:
    """Train once and say how it went."""
    generator = torch.Generator().manual_seed(seed)
    encoding = Gaussian(len(signal.shape), 256, bandwidth, generator)
    network = mlp(encoding, signal.n_outputs, width=256, depth=4, generator=generator)
    mean = AveragedModel(network, avg_fn=decayed_average)
    averaged: dict[str, list[float]] = {}
    losses: list[float] = []
    stamps: list[float] = []  # after each step, and after each evaluation
    evaluating = 0.0

    def on_step(_: int, loss: float) -> None:
        losses.append(loss)
        stamps.append(time.perf_counter())
        mean.update_parameters(network)

    def on_evaluation(checkpoint: Evaluation) -> None:
        nonlocal evaluating
        own = checkpoint.train, checkpoint.held_out
        other = judged(mean.module, signal, few=checkpoint.step < steps)
        averaged[str(checkpoint.step)] = [round(psnr(e), 3) for e in min(own, other)]
        evaluating += time.perf_counter() - stamps[-1]

    start = time.perf_counter()
    found = train(
        network,
        signal,
        Budget("adam", 1e-3, steps, 4096),
        evaluate_at=[c for c in CHECKPOINTS if c <= steps],
        generator=generator,
        on_step=on_step,
        on_evaluation=on_evaluation,
    )
    entry: Entry = {
        "seconds": round(time.perf_counter() - start - evaluating, 3),
        "psnr": {str(c.step): [round(psnr(c.train), 3), round(psnr(c.held_out), 3)] for c in found},
        "averaged": averaged,
    }
    for window in WINDOWS:
        if window <= steps:
            level = median(losses[window - window // 10 : window])
            entry[f"window{window}"] = round(psnr(level), 3)
    return {**entry, "by": f"ntkit {version('ntkit')}"}


def judged(network: nn.Module, signal: Signal, *, few: bool) -> tuple[float, float]:
    """Errors on the training and the held-out samples, on all or on those that `train` judges by."""
    mask = signal.held_out.flatten()
    step = max(1, int((~mask).sum()) // 2**14) if few else 1
    points = signal.grid.points().float()
    values = signal.values.reshape(len(points), -1).float()
    train, held_out = (
        evaluate(signal, network, points[own][::step], values[own][::step], nn.Identity())
        for own in (~mask, mask)
    )
    return train, held_out


def read(path: Path = PATH) -> dict[str, dict[int, Entry]]:
    """Entries by signal and bandwidth."""
    found: dict[str, dict[int, Entry]] = {}
    if path.exists():
        for key, entry in json.loads(path.read_text(encoding="utf-8"))["runs"].items():
            name, _, bandwidth = key.rpartition("|")
            found.setdefault(name, {})[int(bandwidth)] = entry
    return found


def write(path: Path, about: str, runs: dict[str, dict[int, Entry]]) -> None:
    """One line an entry, keyed `signal|bandwidth`."""
    lines = [
        f"{json.dumps(f'{name}|{b}')}: {json.dumps(entries[b])}"
        for name, entries in runs.items()
        for b in sorted(entries)
    ]
    text = f'{{"about": {json.dumps(about)},\n"runs": {{\n' + ",\n".join(lines) + "\n}}\n"
    path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=PATH)
    parser.add_argument("--signals", default=",".join((*LISTED, *BESIDE)))
    parser.add_argument("--bandwidths", default=",".join(map(str, BANDWIDTHS)))
    parser.add_argument("--steps", type=int, default=CHECKPOINTS[-1])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # gradients of a finished fit, or they take ten times as long
    runs = read(arguments.out)
    for name, signal in load_all(arguments.signals.split(",")).items():
        for bandwidth in map(int, arguments.bandwidths.split(",")):
            if "averaged" in runs.get(name, {}).get(bandwidth, {}):
                continue
            entry = run(signal, bandwidth, arguments.steps)
            runs.setdefault(name, {})[bandwidth] = entry
            write(arguments.out, (__doc__ or "").strip(), runs)
            print(name, bandwidth, entry, flush=True)


if __name__ == "__main__":
    main()
