"""One engine over ten bandwidths and five budgets, in a process of its own; prints JSON.

`python -m benchmarks.grid_run ENGINE PHOTO.npy`, ENGINE one of periodic, exact, exact-and-ffts.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.fft import fft, ifft, irfft, rfft

import ntkit
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.operators import ToeplitzOperator

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
    flow = ntkit.GradientFlow(
        kernel_at(bandwidth, periodic=periodic), train, image[::2, ::2], dtype=torch.float32
    )
    return flow.predict(grid, [t / len(train) for t in BUDGETS])


@contextmanager
def recorded_products() -> Iterator[list[tuple[ToeplitzOperator, int]]]:
    """Notes each Toeplitz product while it is open: the operator, and how many rows at once."""
    calls: list[tuple[ToeplitzOperator, int]] = []
    original = ToeplitzOperator.rows

    def rows(self: ToeplitzOperator, v: Tensor) -> Tensor:
        calls.append((self, len(v)))
        return original(self, v)

    ToeplitzOperator.rows = rows
    try:
        yield calls
    finally:
        ToeplitzOperator.rows = original


def seconds_of_ffts(calls: list[tuple[ToeplitzOperator, int]]) -> float:
    """The same transforms, of the same sizes, batches and precision, and nothing else.

    Inputs of the forward transform are made beforehand; each further one takes the last one's
    output, cut as in the operator.
    """
    inputs = {}
    for op, n_rows in calls:
        batch = min(n_rows, op._rows_at_once)
        key = (batch, op.col_shape, op.dtype)
        if key not in inputs:
            inputs[key] = torch.rand(batch, *op.col_shape, dtype=op.dtype)
    start = time.perf_counter()
    for op, n_rows in calls:
        (height, width), kept = op._padded, op.row_shape[0]
        batch = min(n_rows, op._rows_at_once)
        v = inputs[batch, op.col_shape, op.dtype]
        for _ in range(n_rows // batch):
            x = fft(rfft(v, n=width), n=height, dim=1)
            irfft(ifft(x, dim=1).narrow(1, 0, kept), n=width)
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
    spent, ffts, products = 0.0, 0.0, 0
    for bandwidth in BANDWIDTHS:
        with recorded_products() as calls:
            start = time.perf_counter()
            predict(image, bandwidth, periodic=engine == "periodic")
            spent += time.perf_counter() - start
        products += len(calls)
        if engine == "exact-and-ffts":
            ffts += seconds_of_ffts(calls)
    peak = memory("VmHWM")
    return {
        "seconds": spent,
        "ffts": ffts,
        "products": products,
        "peak_above_import": peak - before,
        "peak": peak,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
