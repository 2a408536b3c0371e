"""What a reconstruction costs: CT of a head at 256 x 256 from 30 views with 1 % of noise, in processes of their own, on two threads.

*Default*: `ntkit.reconstruct` with its choice and its error bars. *Linear*: fields of the kernel alone, for 6 kernels and 8 ridges
from 1e-7 to 1, until the gradient is 1e-4 of its start, at most 1000 iterations. *Growth*: the default at 512 x 512 from 60
views without error bars, over the same at 256 x 256 from 30. Seconds are of the wall; CPU seconds tell more where the machine is
shared. Memory is the highest resident size, above what it was after the imports, and in total.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from benchmarks.memory import resident
from benchmarks.reconstruction_scans import scan
from benchmarks.report import Row
from benchmarks.signals import SHARED
from ntkit.encodings import Gaussian
from ntkit.kernels import AbstractKernel, Matern, ntk
from ntkit.networks import mlp
from ntkit.reconstruction import reconstruct
from ntkit.reconstruction.asked import asked_data, asked_system
from ntkit.reconstruction.linear import kernel_fields
from ntkit.reconstruction.torus import torus_prior

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
        kernels.append(ntk(mlp(encoding, 1, width=256, depth=3)))
    ridges = torch.logspace(-7, 0, 8).tolist()
    for kernel in kernels:
        kernel_fields(system, torus_prior(kernel, A.grid), data, ridges)


JOBS: dict[str, Callable[[], None]] = {
    "default": lambda: default(256, 30, True),
    "without error bars": lambda: default(256, 30, False),
    "larger": lambda: default(512, 60, False),
    "linear": linear,
}


def run(job: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.reconstruction_speed", job]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure() -> list[Row]:
    found = {job: run(job) for job in JOBS}
    whole, plain, larger, line = (
        found[job] for job in ("default", "without error bars", "larger", "linear")
    )
    return [
        Row("default with error bars: wall", whole["wall"], "s", at_most=90),
        Row("default with error bars: CPU", whole["cpu"], "s"),
        Row("default: peak memory above import", whole["above"], "MiB", at_most=2048),
        Row("default: peak memory, all", whole["peak"], "MiB"),
        Row("default without error bars: CPU", plain["cpu"], "s"),
        Row("linear, 6 kernels x 8 ridges: wall", line["wall"], "s", at_most=30),
        Row("linear: CPU", line["cpu"], "s"),
        Row("512 x 512 x 60, without error bars: wall", larger["wall"], "s"),
        Row("512 x 512 x 60: CPU", larger["cpu"], "s"),
        Row("512 x 512 x 60: peak memory above import", larger["above"], "MiB"),
        Row("512 x 512 x 60 over 256 x 256 x 30: CPU", larger["cpu"] / plain["cpu"]),
    ]


def main() -> None:
    torch.set_grad_enabled(False)
    before = resident()
    wall, cpu = time.perf_counter(), time.process_time()
    JOBS[sys.argv[1]]()
    print(
        json.dumps({
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "above": (resident("VmHWM") - before) / 2**20,
            "peak": resident("VmHWM") / 2**20,
        })
    )


if __name__ == "__main__":
    main()
