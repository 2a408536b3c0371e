"""Ten bandwidths (1 to 60) at five budgets (t up to 1e5 / n) on a 512x512 RGB photo.

Trained on every other pixel in both axes (65,536 samples), predicted on all; ReLU 3x256 on 256
Gaussian frequencies; the recurrence in float32, kernel and predictions in float64. Time from photo
to predictions, all included but the imports. Memory is the highest resident size of a fresh process
that does this alone, above what it held after its imports, and in total.

"FFTs alone": for each product that the exact engine made, the same one-dimensional transforms on
data of the same size, batch and precision, and no multiplication, sum or copy, timed in the same
process, after each bandwidth. "Whole" over that counts everything else too: the tables of the
kernel, the top of the spectrum, the recurrence, the predictions. "Recurrence" is the Chebyshev
recurrence for all budgets, the part that grows with the budget, over the transforms of its products.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.report import Row
from benchmarks.signals import photo


def run(engine: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.grid_run", engine, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.npy"
        np.save(path, photo().float().numpy())
        periodic, exact, both = [run(e, path) for e in ("periodic", "exact", "exact-and-ffts")]
    return [
        Row("periodic engine, whole", periodic["seconds"], "s", at_most=2),
        Row("periodic: peak memory above import", periodic["peak_above_import"], "MiB", 1024),
        Row("periodic: peak memory, all", periodic["peak"], "MiB"),
        Row("exact engine, whole", exact["seconds"], "s", at_most=25),
        Row("exact: peak memory above import", exact["peak_above_import"], "MiB", 1024),
        Row("exact: peak memory, all", exact["peak"], "MiB"),
        Row("exact: products", exact["products"]),
        Row("exact: its FFTs alone, same run", both["ffts"], "s"),
        Row("exact: whole, same run", both["seconds"], "s"),
        Row("exact: whole over FFTs alone", both["seconds"] / both["ffts"], at_most=1.3),
        Row("exact: FFTs of the recurrence alone, same run", both["recurrence_ffts"], "s"),
        Row("exact: recurrence, same run", both["recurrence"], "s"),
        Row(
            "exact: recurrence over its FFTs alone",
            both["recurrence"] / both["recurrence_ffts"],
            at_most=1.3,
        ),
    ]
