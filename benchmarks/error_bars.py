"""Error bars of reconstructions: how often 90 % intervals hold the truth, which the prior did not make.

Nine pictures at 64 x 64, 20 views, noise of 1 and 5 % of the data's deviation, measured on a grid twice as fine. *Linear*: the
kernel alone, without bounds, and its posterior; over all pixels. *Default*: `ntkit.reconstruct` with total variation and bounds,
whose error bar has a local scale that follows the estimate; over all pixels, and over the 15 % of largest slope.
Saved in `error_bars_cases.json` as each case ends.
"""

from statistics import mean

import torch
from torch import Tensor

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.reconstruction_scans import scan
from benchmarks.report import RESULTS, Row
from benchmarks.signals import SHARED
from ntkit.reconstruction import Reconstruction, reconstruct

PATH = RESULTS / "error_bars_cases.json"
ITEMS = ("shepp", "discs", "head0", "head3", "brain61", "brain89", "kodim23", "astronaut", "camera")
WITHIN = 1.6448536  # standard deviations of 90 %


def held(found: Reconstruction, truth: Tensor) -> Tensor:
    assert found.deviation is not None
    return (found.field - truth).abs() <= WITHIN * found.deviation


def case(name: str, noise: float) -> Entry:
    A, y, truth = scan(name, 64, 20, noise, 0, SHARED)
    linear = held(reconstruct(y, A, total_variation=False, bounds=None), truth)
    default = held(reconstruct(y, A), truth)
    slopes = torch.stack(torch.gradient(truth)).square().sum(0)
    edges = slopes > slopes.flatten().quantile(0.85)
    return {
        "linear": float(linear.double().mean()),
        "default": float(default.double().mean()),
        "edges": float(default[edges].double().mean()),
    }


def measure() -> list[Row]:
    found = kept_in(PATH)
    for noise in (0.01, 0.05):
        for name in ITEMS:
            key = f"{name}|{noise:g}"
            if key not in found:
                found = keep(PATH, key, case(name, noise))
    rows = []
    for noise in (0.01, 0.05):
        own = {name: found[f"{name}|{noise:g}"] for name in ITEMS}
        what = f"noise {100 * noise:g} %, {len(own)} pictures"
        linear = [entry["linear"] for entry in own.values()]
        rows += [
            Row(f"{what}: linear, least of a picture", min(linear), at_least=0.9),
            Row(f"{what}: linear, most", max(linear), at_most=0.99),
            Row(f"{what}: default, mean", mean(e["default"] for e in own.values())),
            Row(
                f"{what}: default, edges, mean",
                mean(e["edges"] for e in own.values()),
                at_least=0.88,
            ),
            Row(f"{what}: default, edges, least", min(e["edges"] for e in own.values())),
        ]
    return rows
