"""Past one machine: what the cluster's operator, its tiles and the array on disk cost, and what kills change.

A LocalCluster of two processes of one thread against two threads, on the same cores; alternating, the best of each,
since other work on the machine only adds time. Each case is written to results/scale_cases.json as it ends;
NTKIT_SCALE_CASES=kills,array measures some of them again.
"""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from distributed import Client, LocalCluster
from torch import nn

import ntkit
from benchmarks.kept import keep
from benchmarks.kept import read as kept_in
from benchmarks.report import RESULTS, Row
from ntkit.kernels import RBF, AbstractKernel, gram, write_gram
from ntkit.networks import Linear
from ntkit.operators import TiledOperator
from ntkit.scale import DaskExecutor, Threads
from ntkit.solvers import ConjugateGradients, solve
from tests.scale.workers import two_workers

N, D = int(os.environ.get("NTKIT_SCALE_N", "100_000")), 20
STORED = min(N, 20_000)
"""Points of the matrix that is written."""

REPEATS = 2
KILLS = int(os.environ.get("NTKIT_KILLS", "20"))
KERNEL = RBF(2.0)
PATH = (RESULTS if N == 100_000 else Path(tempfile.gettempdir())) / "scale_cases.json"
"""A trial of fewer points stays out of the results."""


class SlowRBF(RBF):
    """A kernel that takes its time, so that a kill falls into the work."""

    def __call__(self, x1: torch.Tensor, x2: torch.Tensor | None = None) -> torch.Tensor:
        time.sleep(0.02)
        return super().__call__(x1, x2)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def points(n: int) -> torch.Tensor:
    return torch.rand(n, D, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network() -> AbstractKernel:
    """A ReLU network of depth 3, one function of the angle."""
    layers: list[nn.Module] = []
    for fan_in in (D, 8, 8):
        layers += [Linear(fan_in, 8, bias=False, w_std=2**0.5), nn.ReLU()]
    return ntkit.ntk(nn.Sequential(*layers, Linear(8, 1, bias=False)))


def products(client: Client) -> list[Row]:
    x = points(N) - 0.5
    v = torch.randn(N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    here = gram(network(), x, executor=Threads(2))
    there = gram(network(), x, executor=DaskExecutor(client))
    for executor in (Threads(2), DaskExecutor(client)):  # what is loaded once is not counted
        gram(network(), x[:9000], executor=executor) @ v[:9000]
    threads, cluster, error = [], [], 0.0
    for _ in range(REPEATS):
        start = time.perf_counter()
        one = here @ v
        middle = time.perf_counter()
        other = there @ v
        threads.append(middle - start)
        cluster.append(time.perf_counter() - middle)
        error = max(error, float((one - other).abs().max() / one.abs().max()))
    return [
        Row(f"product, n = {N:,}, d = {D}, ReLU NTK of depth 3, two threads", min(threads), "s"),
        Row("the same on the cluster", min(cluster), "s"),
        Row("ratio", min(cluster) / min(threads), at_most=1.15),
        Row("their difference, relative to the largest entry", error, at_most=1e-13),
    ]


def overheads(client: Client) -> list[Row]:
    found = []
    for side in (4, 14, 45):  # 10, 105 and 1,035 tiles
        x = points(20 * side)
        op = TiledOperator(KERNEL, x, x, tile_bytes=8 * 20**2, executor=DaskExecutor(client))
        v = x[:, 0].clone()
        op @ v  # what is sent once is not counted
        product = partial(op.__matmul__, v)
        found.append((side * (side + 1) // 2, min(seconds(product) for _ in range(REPEATS))))
    (few, a), _, (many, b) = found
    return [
        *[Row(f"product of {tiles:,} tiles of 20 x 20", 1e3 * s, "ms") for tiles, s in found],
        Row("each further tile", 1e3 * (b - a) / (many - few), "ms", at_most=10),
    ]


def array() -> list[Row]:
    x, chunk = points(STORED), 2048
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        noise = np.random.default_rng(0).random((chunk, chunk))

        def computed() -> None:
            for i in range(0, STORED, chunk):
                for j in range(i, STORED, chunk):
                    KERNEL(x[i : i + chunk], None if i == j else x[j : j + chunk])

        def written() -> None:
            shape = (STORED, STORED)
            plain = zarr.create_array(
                f"{folder}/noise.zarr", shape=shape, chunks=(chunk, chunk), dtype="float64",
                compressors=None, overwrite=True,
            )  # fmt: skip
            for i in range(-(-STORED // chunk)):
                for j in range(-(-STORED // chunk)):
                    height, width = min(chunk, STORED - i * chunk), min(chunk, STORED - j * chunk)
                    plain.set_block_selection((i, j), noise[:height, :width])

        alone, writing = seconds(computed), seconds(written)
        whole = seconds(lambda: write_gram(KERNEL, x, path=f"{folder}/K.zarr", progress=False))
        rows += [
            Row(f"entries, n = {STORED:,}, computed", alone, "s"),
            Row("numbers of that size, written by Zarr, uncompressed", writing, "s"),
            Row("the array by `write_gram`", whole, "s"),
            Row("ratio to the sum", whole / (alone + writing), at_most=1.3),
        ]
    return rows


def processes(client: Client) -> list[int]:
    """Of two live workers: one that was killed just now is still listed for a while."""
    while True:
        two_workers(client)
        try:
            found: Any = client.run(os.getpid)
        except OSError:
            continue
        if len(found) >= 2:
            return list(found.values())


def kills(client: Client) -> list[Row]:
    x = points(400)
    y, kernel = x.sin(), SlowRBF(2.0)
    op = TiledOperator(kernel, x, x, tile_bytes=8 * 50**2, executor=DaskExecutor(client))
    method = ConjugateGradients(max_iterations=100)

    def write(name: str) -> torch.Tensor:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            made = write_gram(kernel, x, path=path, chunk=50, executor=DaskExecutor(client))
            return torch.from_numpy(made[:])

    works: list[Callable[[], torch.Tensor]] = [
        lambda: op @ y,
        lambda: solve(op, y, ridge=30.0, tolerance=1e-6, method=method).x,
        lambda: write("K.zarr"),
    ]
    expected = [(seconds(work), work()) for work in works]
    found: list[Row] = []
    draw, same = np.random.default_rng(0), 0
    for k in range(KILLS):
        work, (took, whole) = works[k % 3], expected[k % 3]
        pid = draw.choice(processes(client))
        killer = threading.Timer(draw.random() * took, os.kill, (pid, signal.SIGKILL))
        killer.start()
        same += torch.equal(work(), whole)
        killer.join()
        found = equal_results(same, k + 1)
        keep(PATH, "kills", {"rows": [asdict(row) for row in found]})
    return found


def equal_results(same: int, done: int) -> list[Row]:
    what = f"equal results of {done} works, a worker killed (kill -9) in each"
    return [Row(what, same, at_least=KILLS)]


CASES = {"products": products, "overheads": overheads, "array": lambda _: array(), "kills": kills}


def measure() -> list[Row]:
    wanted = os.environ.get("NTKIT_SCALE_CASES", ",".join(CASES)).split(",")
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=0
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        for name in wanted:
            rows = CASES[name](client)
            keep(PATH, name, {"rows": [asdict(row) for row in rows]})
    kept = kept_in(PATH)
    return [Row(**row) for name in CASES if name in kept for row in kept[name]["rows"]]
