"""One engine over ten bandwidths and five budgets, in a process of its own; prints JSON.

`python -m benchmarks.grid_run ENGINE PHOTO.npy`, ENGINE one of periodic, exact, exact-and-ffts.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fft import fft, ifft, irfft, rfft

import ntkit
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.operators import ToeplitzOperator
from ntkit.solvers import flow

BANDWIDTHS = [1.0, 2.0, 4.0, 7.0, 10.0, 14.0, 20.0, 30.0, 45.0, 60.0]
BUDGETS = [10.0, 1e2, 1e3, 1e4, 1e5]


def kernel_at(bandwidth: float, *, periodic: bool) -> ntkit.kernels.AbstractKernel:
    """ReLU 3x256 on 256 Gaussian frequencies; the width does not enter the kernel."""
    generator = torch.Generator().manual_seed(0)
    encoding = Gaussian(2, 256, bandwidth, generator, integer=periodic)
    return ntkit.ntk(mlp(encoding, 3, width=256, depth=3, parametrisation="ntk"))


def predict(image: Tensor, bandwidth: float, *, periodic: bool) -> Tensor:
    """The image at all pixels and budgets, trained on every other pixel in both axes."""
    grid = ntkit.Grid(image.shape[:2])
    train = grid[::2, ::2]
    trained = ntkit.GradientFlow(
        kernel_at(bandwidth, periodic=periodic), train, image[::2, ::2], dtype=torch.float32
    )
    return trained.predict(grid, [t / len(train) for t in BUDGETS])


@dataclass
class Record:
    """What the exact engine did.

    Attributes:
        products: Each Toeplitz product: the operator, and how many rows at once.
        recurrence: Those of the Chebyshev recurrence among them.
        recurrence_s: Seconds that the recurrence took.
    """

    products: list[tuple[ToeplitzOperator, int]] = field(default_factory=list)
    recurrence: list[tuple[ToeplitzOperator, int]] = field(default_factory=list)
    recurrence_s: float = 0.0


@contextmanager
def recorded() -> Iterator[Record]:
    """Notes each product and the time of the recurrence while it is open."""
    record = Record()
    rows, apply = ToeplitzOperator.rows, flow.chebyshev_apply

    def noted_rows(self: ToeplitzOperator, v: Tensor) -> Tensor:
        record.products.append((self, len(v)))
        return rows(self, v)

    def noted_apply(*args: Any, **options: Any) -> Tensor:
        first, start = len(record.products), time.perf_counter()
        out = apply(*args, **options)
        record.recurrence_s += time.perf_counter() - start
        record.recurrence += record.products[first:]
        return out

    ToeplitzOperator.rows, flow.chebyshev_apply = noted_rows, noted_apply
    try:
        yield record
    finally:
        ToeplitzOperator.rows, flow.chebyshev_apply = rows, apply


def seconds_of_ffts(calls: list[tuple[ToeplitzOperator, int]]) -> float:
    """The same transforms, of the same sizes, batches, blocks and precision, and nothing else.

    Every call of `rfft`, `fft`, `ifft` and `irfft` that `ToeplitzOperator.rows` makes, in its order
    and each on what the last one left, without the multiplication and the copies in between.
    """
    inputs = {(op, n): torch.rand(n, *op.col_shape, dtype=op.dtype) for op, n in calls}
    start = time.perf_counter()
    for op, n_rows in calls:
        (height, width), kept, step = op._padded, op.row_shape[0], op._columns_at_once
        for part in inputs[op, n_rows].split(op._rows_at_once):
            x = rfft(part, n=width)
            for i in range(0, x.shape[-1], step):
                back = ifft(fft(x[..., i : i + step], n=height, dim=1), dim=1).narrow(1, 0, kept)
            irfft(back if step >= x.shape[-1] else x, n=width)
    return time.perf_counter() - start


def memory(field: str) -> float:
    """`VmRSS` (now) or `VmHWM` (highest so far) of this process in MiB; Linux."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"no {field} in /proc/self/status")


def main(engine: str, path: str) -> dict[str, float]:
    image = torch.from_numpy(np.load(path))
    before = memory("VmRSS")
    totals = dict.fromkeys(["seconds", "ffts", "products", "recurrence", "recurrence_ffts"], 0.0)
    for bandwidth in BANDWIDTHS:
        with recorded() as record:
            start = time.perf_counter()
            predict(image, bandwidth, periodic=engine == "periodic")
            totals["seconds"] += time.perf_counter() - start
        totals["products"] += len(record.products)
        totals["recurrence"] += record.recurrence_s
        if engine == "exact-and-ffts":
            totals["ffts"] += seconds_of_ffts(record.products)
            totals["recurrence_ffts"] += seconds_of_ffts(record.recurrence)
    peak = memory("VmHWM")
    return {**totals, "peak_above_import": peak - before, "peak": peak}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
