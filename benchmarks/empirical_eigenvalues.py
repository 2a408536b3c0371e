"""The top 20 eigenvalues of an empirical kernel from products alone, float64.

An MLP 64-256-256-10 with all pairs of outputs; 2,000 points make a matrix of 20,000 rows, 3.2 GB if it
were stored. 130 Lanczos steps. Agreement is with the eigenvalues of the stored matrix at 200 points, the
largest difference relative to the largest eigenvalue. Time a product is the best of four, at four sizes;
the exponent of its growth is fitted to them. Memory is the highest resident size of a process above what
it held before: factors, Krylov vectors and all. "By derivatives" has no room for factors and goes through
the network twice for each product, its graphs built anew each time, as 1 MiB holds them at no size.
"""

import math
import time

import torch
from torch import Tensor, nn

from benchmarks.memory import measured
from benchmarks.report import Row
from ntkit import gram
from ntkit.kernels import empirical_ntk
from ntkit.solvers.lanczos import lanczos

SIZES = (500, 1000, 2000, 4000)


def case(n: int) -> tuple[nn.Module, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
        return nn.Sequential(*layers).double(), torch.randn(n, 64, dtype=torch.float64)


def start(size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, generator=generator, dtype=torch.float64)


def top(n: int) -> tuple[Tensor, float]:
    net, x = case(n)
    pairs = lanczos(gram(empirical_ntk(net, "full"), x, lazy=True), steps=130, start=start(10 * n))
    return pairs.values[:20], float(pairs.residuals[:20].max() / pairs.values[0])


def large() -> list[float]:
    begun = time.perf_counter()
    _, residual = top(2000)
    return [time.perf_counter() - begun, residual]


def seconds_a_product(n: int, memory: int) -> float:
    net, x = case(n)
    op = empirical_ntk(net, "full").operator(x, memory=memory)
    v = start(op.shape[1])
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        op @ v
        times.append(time.perf_counter() - begun)
    return min(times[1:])


def exponent(times: list[float]) -> float:
    a, b = (torch.tensor([math.log(t) for t in ts]) for ts in (SIZES, times))
    return float(((a - a.mean()) * (b - b.mean())).sum() / ((a - a.mean()) ** 2).sum())


def measure() -> list[Row]:
    net, x = case(200)
    dense = torch.linalg.eigvalsh(gram(empirical_ntk(net, "full"), x).dense()).flip(0)[:20]
    lazy, _ = top(200)
    peak, (whole, residual) = measured("benchmarks.empirical_eigenvalues", "large")
    rows = [
        Row(
            "n o = 2,000: difference from dense",
            float((lazy - dense).abs().max() / dense[0]),
            at_most=1e-6,
        ),
        Row("n o = 20,000: time", whole, "s"),
        Row("n o = 20,000: largest residual", residual, at_most=1e-6),
        Row("n o = 20,000: memory", peak / 2**20, "MiB"),
        Row("n o = 20,000: share of the matrix", peak / (8 * 20_000**2), at_most=0.5),
    ]
    for name, memory in (("kept factors", 2**30), ("by derivatives", 2**20)):
        times = [seconds_a_product(n, memory) for n in SIZES]
        rows += [
            Row(f"{name}, n = {n}: a product", t, "s") for n, t in zip(SIZES, times, strict=True)
        ]
        rows.append(Row(f"{name}: exponent in n", exponent(times), at_most=1.15))
    return rows
