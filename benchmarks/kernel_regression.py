"""Kernel regression on points that are not stored as a matrix: ReLU NTK of depth 3 in 20 dimensions.

`ntkit.solvers.solve` with `Auto()` on a tiled operator to a relative residual of 1e-3, which is checked
by a product in float64. Points are standard normal, targets `sin(x.a) + 0.1 noise`, the ridge is 1 % of
the mean diagonal entry; no biases, so the kernel is one function of the angle. Each size in a process
of its own; "memory" is the highest resident size above what the imports took. One preconditioner and
one factor an order of magnitude smaller than the matrix: entries are computed again at each product.
"""

import time

import torch
from torch import nn

import ntkit
from benchmarks.memory import measured
from benchmarks.report import Row
from ntkit.networks import Linear

SIZES = (10_000, 20_000, 50_000, 100_000)
D, DEPTH, TOLERANCE = 20, 3, 1e-3


def relu_ntk(in_dim: int, depth: int) -> ntkit.kernels.InfiniteKernel:
    """Hidden layers with the variance that ReLU keeps, no biases."""
    layers: list[nn.Module] = []
    for fan_in in [in_dim] + [8] * (depth - 1):
        layers += [Linear(fan_in, 8, bias=False, w_std=2**0.5), nn.ReLU()]
    return ntkit.ntk(nn.Sequential(*layers, Linear(8, 1, bias=False)))


def regression(n: int) -> list[float]:
    """Seconds, iterations and the residual."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, D, generator=generator, dtype=torch.float64)
    direction = torch.randn(D, generator=generator, dtype=torch.float64) / D**0.5
    y = (3 * x @ direction).sin() + 0.1 * torch.randn(n, generator=generator, dtype=torch.float64)
    kernel = relu_ntk(D, DEPTH)
    ridge = 0.01 * float(kernel.diag(x).mean())
    operator = ntkit.gram(kernel, x, structure="tiled")
    start = time.perf_counter()
    found = ntkit.solvers.solve(operator, y, ridge=ridge, tolerance=TOLERANCE, progress=True)
    assert found.converged, found
    return [time.perf_counter() - start, found.iterations, found.residual]


def n_10000() -> list[float]:
    return regression(10_000)


def n_20000() -> list[float]:
    return regression(20_000)


def n_50000() -> list[float]:
    return regression(50_000)


def n_100000() -> list[float]:
    return regression(100_000)


def measure() -> list[Row]:
    rows, times = [], []
    for n in SIZES:
        peak, (seconds, iterations, residual) = measured("benchmarks.kernel_regression", f"n_{n}")
        is_asked = n == max(SIZES)
        times.append(seconds)
        limit = 20.0 if is_asked else None
        rows.append(Row(f"n = {n:,}: time", seconds / 60, "min", at_most=limit))
        limit = 2048.0 if is_asked else None
        rows.append(Row(f"n = {n:,}: memory", peak / 2**20, "MiB", at_most=limit))
        rows.append(Row(f"n = {n:,}: relative residual", residual, at_most=TOLERANCE))
        rows.append(Row(f"n = {n:,}: iterations", iterations))
    x = torch.tensor(SIZES).double().log()
    y = torch.tensor(times).double().log()
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    return [*rows, Row("exponent of time in n", slope)]
