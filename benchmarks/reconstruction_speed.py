"""What a reconstruction costs: CT of a head at 256 x 256 from 30 views with 1 % of noise, in processes of their own, on two threads.

*Default*: `ntkit.reconstruct` with its choice and its error bars. *Linear*: fields of the kernel alone, for 6 kernels and 8 ridges
from 1e-7 to 1, until the gradient is 1e-4 of its start, at most 1000 iterations. At ridges below the noise's, about 3e-5, such fields
are far from the end: within half an error bar of it, Matern-1/2 took 329 iterations at 1e-4, and more than 1000 below. *Growth*: the default at 512 x 512 from 60
views without error bars, over the same at 256 x 256 from 30. Seconds are of the wall; CPU seconds tell more where the machine is
shared. Memory is the highest resident size, above what it was after the imports, and in total. Each job is kept in
`reconstruction_speed_cases.json` as it ends, with its number of threads; `NTKIT_JOBS="linear,larger"` measures only those that are named.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.memory import resident
from benchmarks.reconstruction_scans import scan
from benchmarks.report import RESULTS, Row
from benchmarks.signals import SHARED
from ntkit.encodings import Gaussian
from ntkit.kernels import AbstractKernel, Matern, ntk
from ntkit.networks import mlp
from ntkit.reconstruction import reconstruct
from ntkit.reconstruction.arguments import asked_data, asked_system
from ntkit.reconstruction.linear import kernel_fields
from ntkit.reconstruction.torus import torus_prior

PATH = RESULTS / "reconstruction_speed_cases.json"
BANDWIDTHS = (2.0, 4.0, 8.0, 16.0)


def default(size: int, views: int, error_bars: bool) -> None:
    A, y, _ = scan("head0", size, views, 0.01, 0, SHARED)
    reconstruct(y, A, error_bars=error_bars)


def linear() -> None:
    A, y, _ = scan("head0", 256, 30, 0.01, 0, SHARED)
    system = asked_system(A, None, None)
    data = system.data_of(asked_data(y, A))[None].float()
    kernels: list[AbstractKernel] = [Matern(0.5, 0.1), Matern(1.5, 0.05)]
    for bandwidth in BANDWIDTHS:
        draw = torch.Generator().manual_seed(0)
        encoding = Gaussian(2, bandwidth=bandwidth, n_frequencies=256, generator=draw)
        kernels.append(ntk(mlp(encoding, 1, width=256, depth=3, generator=draw)))
    ridges = torch.logspace(-7, 0, 8).tolist()
    for kernel in kernels:
        kernel_fields(system, torus_prior(kernel, A.grid), data, ridges)


JOBS: dict[str, Callable[[], None]] = {
    "default": lambda: default(256, 30, True),
    "without error bars": lambda: default(256, 30, False),
    "larger": lambda: default(512, 60, False),
    "linear": linear,
}


NAMES: dict[str, tuple[str, float | None]] = {
    "default": ("default with error bars", 90),
    "without error bars": ("default without error bars", None),
    "linear": ("linear, 6 kernels x 8 ridges", 30),
    "larger": ("512 x 512 x 60, without error bars", None),
}


def run(job: str) -> Entry:
    command = [sys.executable, "-m", "benchmarks.reconstruction_speed", job]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def rows_of(name: str, entry: Entry, asked: float | None) -> list[Row]:
    memory = None if asked is None else 2048
    threads = f"{entry['threads']} thread{'s' * (entry['threads'] > 1)}"
    return [
        Row(f"{name} ({threads}): wall", entry["wall"], "s", at_most=asked),
        Row(f"{name}: CPU", entry["cpu"], "s"),
        Row(f"{name}: peak memory above import", entry["above"], "MiB", at_most=memory),
        Row(f"{name}: peak memory, all", entry["peak"], "MiB"),
    ]


def measure() -> list[Row]:
    found = kept_in(PATH)
    for job in os.environ.get("NTKIT_JOBS", ",".join(JOBS)).split(","):
        if job not in found:
            found = keep(PATH, job, run(job))
    table = []
    for job, (name, asked) in NAMES.items():
        if job in found:
            table += rows_of(name, found[job], asked)
    if "larger" in found and "without error bars" in found:
        growth = found["larger"]["cpu"] / found["without error bars"]["cpu"]
        table.append(Row("512 x 512 x 60 over 256 x 256 x 30: CPU", growth))
    return table


def main() -> None:
    torch.set_grad_enabled(False)
    before = resident()
    wall, cpu = time.perf_counter(), time.process_time()
    JOBS[sys.argv[1]]()
    print(
        json.dumps({
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "threads": torch.get_num_threads(),
            "above": (resident("VmHWM") - before) / 2**20,
            "peak": resident("VmHWM") / 2**20,
        })
    )


if __name__ == "__main__":
    main()
