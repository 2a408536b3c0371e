"""Scale models of a training beside the training: what they say of ten bandwidths, and what the kernel says.

For each signal of `benchmarks/signals.py` models of all ten bandwidths (`ntkit.tuning.scale_model`) are trained
for 300 and for 2,000 steps. Their PSNR is compared with that of the trained networks (means over the seeds of
`results/reference_ensembles.json`, averaged weights, the mean square error of 8-bit rounding added), and so is
what `ntkit.tune` predicts from the kernel (`results/bandwidth_choice_signals.json`). "Shape" is the mean
absolute difference over the ten bandwidths once its mean is taken off, dB: what misleads a choice. The
decibels of models are those of pieces of the signal, so only the shape says something.

The scale and the number of pieces were chosen with all of these signals in view: the three groups are those of
`adam_curves`, and none is unseen here. What they bring to a choice is in `bandwidth_choice`.
"""

import json
import time
from statistics import mean
from typing import Any

import torch
from torch import Tensor

from benchmarks.adam_curves import GROUPS, shape, with_rounding
from benchmarks.bandwidth_choice import PATH as CHOICES
from benchmarks.bandwidth_choice import STEPS
from benchmarks.reference_ensembles import PATH
from benchmarks.reference_grids import BANDWIDTHS, Entry, read
from benchmarks.report import Row
from benchmarks.signals import load_all
from ntkit.tasks import Budget, Signal
from ntkit.tuning import NetworkPlan
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.scale_model import scale_models

_TRIED = [Candidate("gaussian", float(b)) for b in BANDWIDTHS]
_PLACES = {
    "training samples": ("fit", "predicted_train"),
    "held out": ("generalise", "predicted_held_out"),
}


def rounded(psnr: Tensor) -> Tensor:
    return with_rounding(10 ** (-psnr / 10))


def measured(runs: dict[int, Entry], steps: int) -> Tensor:
    """`[2, 10]`: PSNR on the training and the held-out samples, means over seeds."""
    psnr = torch.tensor([runs[b]["averaged"][str(steps)] for b in BANDWIDTHS]).double()
    return rounded(psnr.mean(1).T)


def modelled(signal: Signal, steps: int) -> tuple[Tensor, float]:
    """`[2, 10]`: what scale models reach, and the seconds that they take."""
    start = time.process_time()
    found = scale_models(
        signal,
        Budget("adam", 1e-3, steps, 4096),
        _TRIED,
        plan=NetworkPlan(signal.in_dim, signal.n_outputs),
    )
    took = time.process_time() - start
    return rounded(torch.tensor([[m.train, m.held_out] for m in found]).double().T), took


def predicted(choices: dict[str, Any], name: str, steps: int) -> Tensor:
    """`[2, 10]`: what the kernel says."""
    rows = []
    for goal, key in _PLACES.values():
        of = choices[f"{name}|{goal}|{steps}"][key]
        rows.append([of[str(b)] for b in BANDWIDTHS])
    return rounded(torch.tensor(rows).double())


def measure() -> list[Row]:
    reference = read(PATH)
    choices = json.loads(CHOICES.read_text(encoding="utf-8"))["choices"]
    rows: list[Row] = []
    seconds: dict[int, list[float]] = {steps: [] for steps in STEPS}
    for group, names in GROUPS.items():
        signals = load_all(names)
        errors: dict[tuple[str, int], list[tuple[float, float]]] = {}
        for name, signal in signals.items():
            for steps in STEPS:
                real = measured(reference[name], steps)
                model, took = modelled(signal, steps)
                seconds[steps].append(took)
                kernel = predicted(choices, name, steps)
                for i, place in enumerate(_PLACES):
                    pair = shape(model[i] - real[i]), shape(kernel[i] - real[i])
                    errors.setdefault((place, steps), []).append(pair)
        for (place, steps), pairs in errors.items():
            what = f"{group} ({len(signals)}), {place}, {steps} steps: shape"
            rows.append(Row(f"{what}, scale models", mean(p[0] for p in pairs), "dB"))
            rows.append(Row(f"{what}, kernel", mean(p[1] for p in pairs), "dB"))
    for steps, took in seconds.items():
        rows.append(Row(f"models of ten bandwidths, {steps} steps", mean(took), "s"))
    return rows
