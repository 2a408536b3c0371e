"""How the time of a product of the exact engine grows with the number of samples.

The kernel of a ReLU network (3 hidden layers, 256 Gaussian frequencies, bandwidth 10) on square
grids of 256^2, 512^2 and 1024^2 training samples, three channels, float32; medians over repeated
products, sizes in turn. The exponent is the slope of log time against log n (1 for O(n); n log n
has 1.08 over this range).
"""

import time
from statistics import median

import torch

import ntkit
from benchmarks.grid_run import kernel_at
from benchmarks.report import Row

SIDES = [256, 512, 1024]
ROUNDS = 9


def measure() -> list[Row]:
    kernel = kernel_at(10.0, periodic=False)
    operators, vectors = [], []
    for side in SIDES:
        grid = ntkit.Grid((2 * side, 2 * side))[::2, ::2]
        operators.append(ntkit.gram(kernel, grid, structure="toeplitz", dtype=torch.float32))
        vectors.append(torch.rand(3, len(grid), generator=torch.Generator().manual_seed(0)))
    times: list[list[float]] = [[] for _ in SIDES]
    for _ in range(ROUNDS):
        for op, v, found in zip(operators, vectors, times, strict=True):
            op.rows(v)  # warm
            start = time.perf_counter()
            op.rows(v)
            found.append(time.perf_counter() - start)
    medians = torch.tensor([median(found) for found in times], dtype=torch.float64)
    x, y = torch.tensor([side**2 for side in SIDES]).double().log(), medians.log()
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    rows = [
        Row(f"product, {side}^2 samples, 3 channels", 1e3 * float(t), "ms")
        for side, t in zip(SIDES, medians, strict=True)
    ]
    return [*rows, Row("exponent of time in n", slope, at_most=1.15)]
