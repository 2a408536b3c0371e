"""From kernels to predictions of training beside neural-tangents' `gradient_descent_mse`.

2,000 training points in 20 dimensions, 10 outputs, 500 test points, 5 times; the matrices of a ReLU
tangent kernel of depth 3 are given to both, so that what is timed is the training alone: making the
object and the first predictions on the test points, then predictions at 5 new times by the same
object. Best of several, ours and the peer's in turn, each alone with the threads of `--threads`;
the peer is run by the interpreter named by NTKIT_PEER_PYTHON (neural-tangents 0.6.5 on jax 0.4.25);
without it the rows that need it are left out. The figures are for an idle machine with `--threads 2`.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.report import Row
from ntkit import GradientFlow, encodings, networks, ntk
from ntkit.kernels import AbstractKernel

PEER = os.environ.get("NTKIT_PEER_PYTHON")
N, M, OUTPUTS, REPEATS = 2000, 500, 10, 5
TIMES = [
    0.01,
    0.1,
    1.0,
    10.0,
    100.0,
]  # of the mean: `t = TIMES / (n o)`, up to the slow modes below
FASTER = 1.3
AGAIN_MS = 14.0


class Given(AbstractKernel):
    """Matrices computed before, as a kernel on these points."""

    def __init__(self, within: Tensor, across: Tensor) -> None:
        self._within, self._across = within, across

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        return self._within if x2 is None else self._across

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        return self._within.diagonal()


def ours(kernel: Given, x: Tensor, other: Tensor, y: Tensor) -> tuple[float, float, Tensor]:
    """Seconds of the first predictions, of those at new times, and the first predictions."""
    times, later = moments(y)
    begin = time.perf_counter()
    flow = GradientFlow(kernel, x, y, dtype=y.dtype)
    found = flow.predict(other, times)
    first = time.perf_counter() - begin
    flow.predict(other, later)
    begin = time.perf_counter()
    flow.predict(other, [1.1 * t for t in later])
    return first, time.perf_counter() - begin, found


def moments(y: Tensor) -> tuple[list[float], list[float]]:
    times = [1e3 * t / y.numel() for t in TIMES]
    return times, [1.7 * t for t in times]


def peer(data: dict[str, np.ndarray], folder: Path, threads: int) -> tuple[dict, Tensor]:
    assert PEER is not None
    path = folder / "problem.npz"
    np.savez(path, **data)
    script = Path(__file__).with_name("peer_dynamics.py")
    limits = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    answer = subprocess.run(
        [PEER, str(script), "speed", str(path), str(REPEATS)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "XLA_FLAGS": limits, "OPENBLAS_NUM_THREADS": str(threads)},
    )
    return json.loads(answer.stdout), torch.from_numpy(np.load(folder / "problem_out.npy"))


def measure() -> list[Row]:
    g = torch.Generator().manual_seed(0)
    x, other, y = (
        torch.randn(*shape, generator=g, dtype=torch.float64)
        for shape in ((N, 20), (M, 20), (N, OUTPUTS))
    )
    kernel = ntk(networks.mlp(encodings.Identity(20), 1, width=64, depth=3, generator=g))
    within, across = kernel(x), kernel(other, x)
    truth = ours(Given(within, across), x, other, y)[2]
    rows = []
    for dtype in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        given = Given(within.to(dtype), across.to(dtype))
        target = y.to(dtype)
        runs = [ours(given, x, other, target) for _ in range(REPEATS)]
        first, again = min(r[0] for r in runs), min(r[1] for r in runs)
        rows.append(Row(f"{name}: from kernels to predictions", first, unit="s"))
        rows.append(Row(f"{name}: 5 new times", 1e3 * again, unit="ms", at_most=AGAIN_MS))
        if PEER is None:
            continue
        times, later = moments(y)
        scale = y.numel()  # the peer's loss is a mean
        task = {
            "k": given._within.numpy(),
            "cross": given._across.numpy(),
            "y": target.numpy(),
            "times": scale * np.array(times, dtype=target.numpy().dtype),
            "later": scale * np.array(later, dtype=target.numpy().dtype),
        }
        with tempfile.TemporaryDirectory() as folder:
            theirs, expected = peer(task, Path(folder), torch.get_num_threads())
        rows += [
            Row(f"{name}: the peer, from kernels", theirs["first"], unit="s"),
            Row(f"{name}: the peer, 5 new times", 1e3 * theirs["again"], unit="ms"),
            Row(f"{name}: times faster, from kernels", theirs["first"] / first, at_least=FASTER),
            Row(f"{name}: times faster, new times", theirs["again"] / again, at_least=1.0),
            *accuracy(name, runs[0][2], expected, truth),
        ]
    return rows


def accuracy(name: str, found: Tensor, peer_found: Tensor, truth: Tensor) -> list[Row]:
    """Of both: single precision can do no better than its unit times the condition, about 3e-3."""

    def relative(a: Tensor, b: Tensor) -> float:
        return float((a.double() - b.double()).abs().max() / b.abs().max())

    if name == "float64":
        return [Row(f"{name}: difference from the peer", relative(found, peer_found), at_most=1e-9)]
    return [
        Row(f"{name}: error", relative(found, truth), at_most=1e-2),
        Row(f"{name}: the peer's error", relative(peer_found, truth)),
    ]
