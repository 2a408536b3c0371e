"""Grid search by training the network on the measurements, against `ntkit.reconstruct`, which trains nothing.

Two pictures at 128 x 128 and at 64 x 64, 30 views, noise of 1 % of the data's deviation, made on a grid twice as fine. The grid:
Gaussian features of six bandwidths (256 frequencies), 3 hidden layers of 128 units, Adam at 1e-3, not below zero by a softplus, stopped
after five numbers of steps. Its best by the truth is what a search could reach at most; its best by a tenth of the views, held out, is
what one without the truth finds. Times are those of the processor, one thread. Each case is kept in `measured_grid_cases.json` as it ends.

At 128 x 128 `ntkit.reconstruct` is better than the grid's best on both pictures. At 64 x 64 the network is better on Shepp and Logan's
phantom: by the truth the best strength of total variation that `ntkit.reconstruct` tries there gives 32.8 dB, with the kernel or without
it, so no choice gains what the network is better by.
"""

from time import process_time

import torch

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.reconstruction_items import psnr
from benchmarks.reconstruction_scans import scan
from benchmarks.report import RESULTS, Row
from benchmarks.signals import SHARED
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.reconstruction import reconstruct
from ntkit.tasks import Budget, Evaluation, Measured, Trainer

PATH = RESULTS / "measured_grid_cases.json"
SIDES = (128, 64)  # pixels
ITEMS = ("brain61", "shepp")
BANDWIDTHS = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
STEPS = (50, 100, 200, 400, 800)


def trained(side: int, name: str, bandwidth: float) -> Entry:
    """PSNR and held-out error at each stopping time of one training."""
    A, y, truth = scan(name, side, 30, 0.01, 0, SHARED)
    began = process_time()
    task = Measured(y, A, bounds=(0, None), hold_out=0.1)
    draw = torch.Generator().manual_seed(0)
    network = mlp(Gaussian(2, 256, bandwidth, draw), 1, width=128, depth=3, generator=draw)
    trainer = Trainer(network, task, Budget("adam", 1e-3, STEPS[-1]), generator=draw)
    found: list[tuple[int, float, float]] = []

    def stop(at: Evaluation) -> None:
        found.append((at.step, round(psnr(task.field(network)[..., 0], truth), 3), at.held_out))

    trainer.run(evaluate_at=STEPS, on_evaluation=stop)
    return {"stops": found, "seconds": round(process_time() - began, 1)}


def chosen(side: int, name: str) -> Entry:
    """What `ntkit.reconstruct` gives."""
    A, y, truth = scan(name, side, 30, 0.01, 0, SHARED)
    began = process_time()
    found = reconstruct(y, A, error_bars=False)
    took = process_time() - began
    return {
        "psnr": round(psnr(found.field, truth), 3),
        "kernel": round(psnr(found.alternatives["kernel alone"], truth), 3),
        "seconds": round(took, 2),
    }


def measure() -> list[Row]:
    return [row for side in SIDES for name in ITEMS for row in rows(side, name)]


def rows(side: int, name: str) -> list[Row]:
    """Of one picture."""
    found, what = kept_in(PATH), f"{name}, {side} x {side}"
    if (key := f"{side}|{name}|chosen") not in found:
        found = keep(PATH, key, chosen(side, name))
    for bandwidth in BANDWIDTHS:
        if (own := f"{side}|{name}|{bandwidth:g}") not in found:
            found = keep(PATH, own, trained(side, name, bandwidth))
    grid = [found[f"{side}|{name}|{b:g}"] for b in BANDWIDTHS]
    stops = [stop for entry in grid for stop in entry["stops"]]
    seconds, ours = sum(entry["seconds"] for entry in grid), found[key]
    best, held = max(s[1] for s in stops), min(stops, key=lambda s: s[2])[1]
    times = f"the grid's time over that of `ntkit.reconstruct` ({ours['seconds']:.1f} s)"
    return [
        Row(f"{what}: best of the {len(stops)} by the truth", best, "dB"),
        Row(f"{what}: best of them by held-out views", held, "dB"),
        Row(f"{what}: `ntkit.reconstruct`", ours["psnr"], "dB"),
        Row(f"{what}: kernel alone", ours["kernel"], "dB"),
        Row(
            f"{what}: `ntkit.reconstruct` above the best", ours["psnr"] - best, "dB", at_least=-0.3
        ),
        Row(f"{what}: seconds of the grid", seconds, "s"),
        Row(f"{what}: {times}", seconds / ours["seconds"], at_least=50),
    ]
