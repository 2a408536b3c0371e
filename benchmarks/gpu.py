"""Kernels on a GPU, beside the same on this machine's processor at a smaller size.

The three figures are a matrix (ReLU NTK of depth 3 without biases, 256 features, float32) beside the product of its points and
one write of a matrix of that size; a product with a matrix that is never stored, in float32, whose operations count as
`n^2 / 2` pairs of `2 d` each; and the empirical kernel of a small residual network with all its ten outputs. "Fused
away" is the same matrix computed operation by operation. The error is against float64 on the processor, of 500 points.
Rows marked "reduced" ran on the processor. Without a GPU there are only those.
`NTKIT_GPU_SIZE=small` is a trial of a few seconds.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch import Tensor

import ntkit
from benchmarks.empirical_networks import resnet
from benchmarks.infinite_speed import dense
from benchmarks.report import Row
from ntkit.kernels.infinite.back import angle_tiles

FEATURES = 256
IS_SMALL = os.environ.get("NTKIT_GPU_SIZE") == "small"
MATRIX = {"cuda": 4_000 if IS_SMALL else 40_000, "cpu": 1_000 if IS_SMALL else 4_000}
PRODUCT = {"cuda": 10_000 if IS_SMALL else 200_000, "cpu": 2_000 if IS_SMALL else 10_000}
IMAGES = {"cuda": 32 if IS_SMALL else 512, "cpu": 4 if IS_SMALL else 16}


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def seconds(call: Callable[[], object], device: str, rounds: int = 3) -> float:
    """The median of some calls, after one that compiles and warms up."""
    call()
    found = []
    for _ in range(rounds):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        call()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


@contextmanager
def not_fused() -> Iterator[None]:
    with patch.object(angle_tiles, "is_worth_fusing", lambda _: False):
        yield


def matrix(device: str, mark: str) -> list[Row]:
    n = MATRIX[device]
    x, kernel = random(n, FEATURES).to(device), ntkit.ntk(dense(3, FEATURES).to(device))
    out = torch.empty(n, n, device=device)
    product = seconds(lambda: torch.mm(x, x.T, out=out), device)
    write = seconds(lambda: out.fill_(1.0), device)
    ours = seconds(lambda: kernel(x, out=out, progress=False), device)
    few = x[:500]
    exact = ntkit.ntk(dense(3, FEATURES).double())(few.cpu().double())
    error = float((out[:500, :500].cpu() - exact).abs().max() / exact.abs().max())
    target = 1.5 if device == "cuda" and not IS_SMALL else None
    rows = [
        Row(f"ReLU NTK, n = {n:,}{mark}", ours, "s"),
        Row(f"product of the points, n = {n:,}{mark}", product, "s"),
        Row(f"one write of {n:,} x {n:,} numbers{mark}", write, "s"),
        Row(f"NTK over product and write{mark}", ours / (product + write), at_most=target),
        Row(f"largest error, float32, over the largest entry{mark}", error, at_most=1e-5),
    ]
    if device == "cuda":
        with not_fused():
            apart = seconds(lambda: kernel(x, out=out, progress=False), device)
        rows.append(Row(f"ReLU NTK, n = {n:,}, fused away", apart, "s"))
    return rows


def product(device: str, mark: str) -> list[Row]:
    n = PRODUCT[device]
    x, kernel = random(n, FEATURES).to(device), ntkit.ntk(dense(3, FEATURES).to(device))
    op = ntkit.gram(kernel, x, lazy=True, dtype=torch.float32)
    v = random(n, 1).to(device)
    took = seconds(lambda: op @ v, device, rounds=1)
    rate = n**2 / 2 * 2 * FEATURES / took / 1e12
    return [
        Row(f"product, never stored, n = {n:,}{mark}", took, "s"),
        Row(f"the same{mark}", rate, "TFLOP/s"),
    ]


def network(device: str, mark: str) -> list[Row]:
    n = IMAGES[device]
    net, x = resnet().to(device), random(n, 3, 32, 32).to(device)
    kernel = ntkit.empirical_ntk(net, outputs="full")
    took = seconds(lambda: kernel(x), device, rounds=1)
    return [Row(f"empirical kernel of a ResNet, {n} images x 10 outputs{mark}", took, "s")]


def on(device: str, mark: str) -> list[Row]:
    return [row for part in (matrix, product, network) for row in part(device, mark)]


def measure() -> list[Row]:
    rows = []
    if torch.cuda.is_available():
        rows = on("cuda", f" on {torch.cuda.get_device_name()}")
    return [
        *rows,
        *on(
            "cpu",
            " (reduced, on the processor: no GPU is here)"
            if not rows
            else " (reduced, on the processor)",
        ),
    ]
