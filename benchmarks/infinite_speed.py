"""Infinite-width kernels against neural-tangents 0.6.5, all pairs, on the same cores, taking turns.

Five rounds of three calls in a row of each (two rounds of one of the slow pooled case), medians of the
wall time: after a second of rest a call takes up to twice as long, as the virtual machine has given its
free memory back. The peer's calls are compiled before. The pooled case of the peer runs on 16 images, which it holds in memory at once,
times 16 for the pairs of 64. "Agreement" is the largest relative difference of the first entries
off the diagonal. "Product and write" is `x @ x.T` and one write of a matrix of that size. Memory is
the highest resident size of the process above what it held before the call. The peer's Python (with
jax 0.4.25 and neural-tangents 0.6.5) is named by the environment variable NTKIT_PEER_PYTHON; without
it only the rows that need no peer are measured.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import ntkit
from benchmarks.memory import peak_above
from benchmarks.report import Row
from ntkit.networks import Conv2d, Linear

PEER = os.environ.get("NTKIT_PEER_PYTHON")


def dense(depth: int, features: int) -> nn.Module:
    layers: list[nn.Module] = []
    for k in range(depth):
        fan_in = features if k == 0 else 8
        layers += [Linear(fan_in, 8, bias=False, w_std=2**0.5), nn.ReLU()]
    return nn.Sequential(*layers, Linear(8, 1, bias=False))


def convolutional(*head: nn.Module) -> nn.Module:
    layers: list[nn.Module] = []
    for k in range(4):
        conv = Conv2d(3 if k == 0 else 8, 8, 3, padding=1, bias=False, w_std=2**0.5)
        layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers, *head)


def general(features: int) -> nn.Module:
    layers = [Linear(features, 8), nn.Tanh(), Linear(8, 8), nn.Tanh(), Linear(8, 8), nn.Tanh()]
    return nn.Sequential(*layers, Linear(8, 1))


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Peer:
    """The peer's process, and the folder through which points and results pass."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: Any = None

    def start(self) -> None:
        assert PEER is not None
        script = Path(__file__).parent / "peer_infinite.py"
        self.process = subprocess.Popen(
            [PEER, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, case: str, x: Tensor) -> tuple[float, Tensor]:
        """Seconds of one call, and the first entries of its result."""
        if self.process is None:
            self.start()
        points, corner = self.folder / "x.npy", self.folder / "corner.npy"
        np.save(points, (x if x.ndim == 2 else x.movedim(1, -1)).numpy())
        dtype = str(x.dtype).removeprefix("torch.")
        task = {"case": case, "dtype": dtype, "inputs": str(points), "corner": str(corner)}
        print(json.dumps(task), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        return answer["wall"], torch.from_numpy(np.load(corner))


@contextmanager
def peer() -> Iterator[Peer | None]:
    if PEER is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        found = Peer(Path(folder))
        yield found
        if found.process is not None:
            found.process.stdin.close()
            found.process.wait()


def seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(
    other: Peer | None,
    what: str,
    case: str,
    module: nn.Module,
    x: Tensor,
    at_least: float,
    *,
    rounds: int = 5,
    in_a_row: int = 3,
    peer_points: int | None = None,
    against: Callable[[], Any] | None = None,
) -> list[Row]:
    """Rows of one case: ours, theirs, the ratio and the agreement."""
    kernel = ntkit.ntk(module)
    mine, theirs, floor = [], [], []
    ours: Tensor = kernel(x)
    corner = None
    few = len(x) if peer_points is None else peer_points
    for _ in range(rounds):
        mine += [seconds(lambda: kernel(x)) for _ in range(in_a_row)]
        if against is not None:
            floor += [seconds(against) for _ in range(in_a_row)]
        for _ in range(in_a_row if other is not None else 0):
            assert other is not None
            wall, corner = other(case, x[:few])
            theirs.append(wall * (len(x) / few) ** 2)
    own = statistics.median(mine)
    rows = [Row(f"{what}: ours", own, "s")]
    if floor:
        share = own / statistics.median(floor)
        rows.append(Row(f"{what}: ours over product and write", share, at_most=1.3))
    if corner is not None:
        its = statistics.median(theirs)
        rows += [
            Row(f"{what}: peer", its, "s"),
            Row(f"{what}: times faster than the peer", its / own, at_least=at_least),
            Row(f"{what}: agreement", _agreement(ours, corner)),
        ]
    return rows


def _agreement(ours: Tensor, corner: Tensor) -> float:
    size = len(corner)
    off = ~torch.eye(size, dtype=torch.bool)
    mine = ours[:size, :size].double()[off]
    return float(((mine - corner.double()[off]) / mine).abs().max())


def measure() -> list[Row]:
    rows: list[Row] = []
    with peer() as other:
        for dtype, faster, deeper in ((torch.float64, 9, 30), (torch.float32, 14, 30)):
            name = str(dtype).removeprefix("torch.")
            x = random(4000, 256).to(dtype)
            out = torch.empty(4000, 4000, dtype=dtype)

            def product_and_write(x: Tensor = x, out: Tensor = out) -> None:
                out.copy_(x @ x.T)

            rows += compare(
                other,
                f"ReLU MLP, depth 3, n = 4,000, {name}",
                "mlp",
                dense(3, 256),
                x,
                faster,
                against=product_and_write,
            )
            rows += compare(
                other,
                f"depth 10, n = 2,000, {name}",
                "deep",
                dense(10, 256),
                x[:2000],
                deeper,
            )
        images = random(256, 3, 16, 16)
        flat = convolutional(nn.Flatten(), Linear(8 * 256, 1, bias=False))
        what = "4 convolutions, flatten, n = 256 of 16x16x3"
        rows += compare(other, what, "flatten", flat, images, 4)
        pool = convolutional(nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(8, 1, bias=False))
        what = "4 convolutions, global average, n = 64 of 16x16x3"
        rows += compare(
            other, what, "pool", pool, images[:64], 20, rounds=2, in_a_row=1, peer_points=16
        )
    memory = peak_above("benchmarks.infinite_speed", "pooled")
    rows.append(Row("the same: peak memory above import", memory / 2**20, "MiB", at_most=2048))
    x = random(2000, 64)
    tanh = ntkit.ntk(general(64))
    tanh(x[:10])
    slow = statistics.median(seconds(lambda: tanh(x)) for _ in range(3))
    rows.append(Row("3 x tanh with biases, by quadrature, n = 2,000", slow, "s", at_most=3))
    return rows


def pooled() -> None:
    """The pooled case alone, for its memory."""
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), Linear(8, 1, bias=False)
    ntkit.ntk(convolutional(*head))(random(64, 3, 16, 16))
