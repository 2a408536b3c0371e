"""A kernel matrix larger than what one wants in memory: n = 20,000, d = 64, depth 3, into an array on disk.

`kernel(x, out=array)` fills it tile by tile; it is an `.npy` file that NumPy maps into memory. "Above the result" is
the highest resident size of the process less what it held once everything was imported, less the
result's own 3.2 GB in float64, whose pages count while they are mapped. The general path has biases, so
it goes layer by layer.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from torch import nn

from benchmarks.infinite_speed import random
from benchmarks.memory import measured
from benchmarks.report import Row
from ntkit import ntk
from ntkit.networks import Linear

N, D = 20_000, 64
RESULT = 8 * N * N


def into_file(*, bias: bool) -> float:
    """Seconds of the call."""
    b_std = 0.1 if bias else 0.0
    layers: list[nn.Module] = []
    for fan_in in (D, 8, 8):
        layers += [Linear(fan_in, 8, bias=bias, w_std=2**0.5, b_std=b_std), nn.ReLU()]
    net = nn.Sequential(*layers, Linear(8, 1, bias=bias, b_std=b_std))
    kernel, x = ntk(net), random(N, D)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        start = time.perf_counter()
        path = Path(folder) / "gram.npy"
        kernel(x, out=np.lib.format.open_memmap(path, "w+", "float64", (N, N)), progress=True)
        return time.perf_counter() - start


def quick() -> float:
    return into_file(bias=False)


def general() -> float:
    return into_file(bias=True)


def measure() -> list[Row]:
    rows = []
    for function, what in (("quick", "one function of the angle"), ("general", "layer by layer")):
        peak, seconds = measured("benchmarks.infinite_large", function)
        rows.append(Row(f"{what}: time", seconds, "s"))
        above = (peak - RESULT) / 2**20
        rows.append(Row(f"{what}: peak memory above the result", above, "MiB", at_most=1024))
    return rows
