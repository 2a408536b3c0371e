"""Kernel ridge regression on a million points of a real table: a few centres, all points, and blocks of them.

The table: each pixel of four Kodak photographs (`../shared/data`), grey, from its 20 neighbours to the left and above, all
less the neighbours' mean and in units of their spread; 1.5 million rows of one, of which 20,000 are held out. The kernel is
`RBF(12)`, the ridge 0.3. Errors are root mean squares over the rows held out, in
units of the spread.

Each case runs in a process of its own with two threads and is kept in `results/million_cases.json` as it ends: run it
again, and it goes on with the cases that are missing. "memory" is the highest resident size above what the imports took.
"load" is the load average at the end: where it is far above two, other work had the cores too, and times are that much too long.
`NTKIT_MILLION=small` is a trial with a hundredth of the points, whose cases and table go into a temporary folder.
"""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.kept import keep, read
from benchmarks.memory import measured
from benchmarks.report import RESULTS, Row
from ntkit.kernels import RBF
from ntkit.operators import AbstractOperator, TiledOperator
from ntkit.scale import Threads
from ntkit.solvers import (
    AbstractPreconditioner,
    BlockDescent,
    ConjugateGradients,
    InducingPoints,
    RidgeFit,
    kernel_ridge,
)
from ntkit.solvers.pivoted_cholesky import pivoted_columns
from ntkit.solvers.preconditioners import low_rank_inverse

SMALL = os.environ.get("NTKIT_MILLION") == "small"
MILLION, FULL, CENTRES, RANK, HELD = (
    (10_000, 4_000, 200, 100, 2_000) if SMALL else (1_000_000, 100_000, 2_000, 1_000, 20_000)
)
RIDGE, TOLERANCE = 0.3, 1e-3
KERNEL = RBF(12.0)
PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "kodak"
CASES = (Path(gettempdir()) if SMALL else RESULTS) / "million_cases.json"

NEIGHBOURS = [
    *[(0, -k) for k in (1, 2, 3)],
    *[(-1, k) for k in range(-3, 4)],
    *[(-2, k) for k in range(-3, 4)],
    *[(-3, k) for k in (-1, 0, 1)],
]
"""Rows and columns from the pixel to those that are known before it."""


def table(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points and values to learn from, and those held out."""
    rows, values = [], []
    for path in sorted(PHOTOS.glob("*.png")):
        grey = np.asarray(Image.open(path).convert("L"), dtype=np.float64) / 255
        height, width = grey.shape
        cuts = [grey[3 + a : height + a, 3 + b : width - 3 + b] for a, b in NEIGHBOURS]
        rows.append(np.stack(cuts, -1).reshape(-1, len(NEIGHBOURS)))
        values.append(grey[3:, 3 : width - 3].reshape(-1))
    x, y = torch.from_numpy(np.concatenate(rows)), torch.from_numpy(np.concatenate(values))
    mean = x.mean(1, keepdim=True)
    x, y = x - mean, y - mean[:, 0]
    spread = x.std()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    learn, held = order[HELD : HELD + n], order[:HELD]
    return x[learn] / spread, y[learn] / spread, x[held] / spread, y[held] / spread


def error_of(fit: RidgeFit, x: Tensor, y: Tensor) -> float:
    found = fit.predict(x, executor=Threads(2))
    return float((found - y).square().mean().sqrt())


def few_centres(n: int) -> dict[str, float]:
    """Seconds with the draw of the centres, iterations, residual and error."""
    x, y, held, truth = table(n)
    start = time.perf_counter()
    fit = kernel_ridge(
        KERNEL,
        x,
        y,
        ridge=RIDGE,
        method=InducingPoints(CENTRES),
        executor=Threads(2),
        progress=True,
    )
    return facts(fit, time.perf_counter() - start, held, truth)


def facts(fit: RidgeFit, seconds: float, held: Tensor, truth: Tensor) -> dict[str, float]:
    found = fit.solution
    return {
        "seconds": seconds,
        "iterations": found.iterations,
        "residual": found.residual,
        "converged": found.converged,
        "error": error_of(fit, held, truth),
    }


class Timed(AbstractPreconditioner):
    """Another one, with the seconds that it took and what it left out."""

    name = "timed"

    def __init__(self, factor: Callable[[AbstractOperator], tuple[Tensor, float]]) -> None:
        self.factor = factor
        self.seconds, self.left_out = 0.0, 1.0

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Callable[[Tensor], Tensor], str]:
        start = time.perf_counter()
        left, self.left_out = self.factor(op)
        self.seconds = time.perf_counter() - start
        shift = ridge + self.left_out * float(op.diagonal().double().mean())
        return low_rank_inverse(left, shift), f"leaves out {self.left_out:.1%}"


def drawn(op: AbstractOperator) -> tuple[Tensor, float]:
    """As `PivotedCholesky(RANK)` takes it: pivots drawn at random, in blocks."""
    assert isinstance(op, TiledOperator)
    eps = torch.finfo(op.dtype).eps
    left, _, error = pivoted_columns(op.diagonal(), op.columns, tolerance=eps, max_rank=RANK)
    return left, error


def greedy(op: AbstractOperator) -> tuple[Tensor, float]:
    """The textbooks': the largest entry of the diagonal left, one column at a time.

    Source: Harbrecht, Peters and Schneider 2012, algorithm 1.
    """
    assert isinstance(op, TiledOperator)
    rest = op.diagonal().double().clone()
    total = float(rest.sum())
    left = torch.zeros(RANK, len(rest), dtype=op.dtype).T  # each column in one piece
    for k in range(RANK):
        j = int(rest.argmax())
        column = op.columns(torch.tensor([j]))[:, 0] - left[:, :k] @ left[j, :k]
        left[:, k] = column / float(rest[j]) ** 0.5
        rest = (rest - left[:, k].double() ** 2).clamp_min(0)
        rest[j] = 0
    return left, float(rest.sum()) / total


def all_points(factor: Callable[[AbstractOperator], tuple[Tensor, float]]) -> dict[str, float]:
    """A full solve by products in float32; the entries of this kernel are float64."""
    x, y, held, truth = table(FULL)
    timed = Timed(factor)
    start = time.perf_counter()
    fit = kernel_ridge(
        KERNEL,
        x,
        y,
        ridge=RIDGE,
        tolerance=TOLERANCE,
        method=ConjugateGradients(timed, dtype=torch.float32),
        executor=Threads(2),  # tiles at any size
        progress=True,
    )
    seconds = time.perf_counter() - start
    more = {"factor": timed.seconds, "left out": timed.left_out}
    return facts(fit, seconds, held, truth) | more


def million() -> dict[str, float]:
    return few_centres(MILLION)


def few() -> dict[str, float]:
    return few_centres(FULL)


def random_pivots() -> dict[str, float]:
    return all_points(drawn)


def greedy_pivots() -> dict[str, float]:
    return all_points(greedy)


def blocks() -> dict[str, float]:
    """Two passes, at which the residual is not yet TOLERANCE."""
    x, y, held, truth = table(FULL)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        fit = kernel_ridge(
            KERNEL,
            x,
            y,
            ridge=RIDGE,
            tolerance=TOLERANCE,
            method=BlockDescent(CENTRES, max_passes=2),
            executor=Threads(2),
            progress=True,
        )
    return facts(fit, time.perf_counter() - start, held, truth)


def measure() -> list[Row]:
    torch.set_num_threads(2)
    os.environ["OMP_NUM_THREADS"] = "2"  # of the cases
    for case in (million, few, random_pivots, greedy_pivots, blocks):
        if case.__name__ not in read(CASES):
            peak, found = measured("benchmarks.million", case.__name__)
            load = os.getloadavg()[2]  # of a quarter of an hour
            keep(CASES, case.__name__, found | {"memory": peak, "load": load})
    found = read(CASES)
    return [*_million(found["million"]), *_full(found)]


def _million(case: dict[str, float]) -> list[Row]:
    n, m = f"n = {MILLION:,}", f"{CENTRES:,} centres"
    return [
        Row(f"{n}, {m}: time", case["seconds"] / 60, "min", at_most=8),
        Row(f"{n}, {m}: load", case["load"]),
        Row(f"{n}, {m}: memory", case["memory"] / 2**30, "GiB", at_most=3),
        Row(f"{n}, {m}: passes", case["iterations"]),
        Row(f"{n}, {m}: residual of the normal equations", case["residual"], at_most=1e-6),
        Row(f"{n}, {m}: error", case["error"]),
    ]


def _full(found: dict[str, dict[str, float]]) -> list[Row]:
    n = f"n = {FULL:,}"
    few, drawn, greedy = found["few"], found["random_pivots"], found["greedy_pivots"]
    rows = [
        Row(f"{n}, {CENTRES:,} centres: time", few["seconds"] / 60, "min"),
        Row(f"{n}, {CENTRES:,} centres: load", few["load"]),
        Row(f"{n}, {CENTRES:,} centres: passes", few["iterations"]),
        Row(f"{n}, {CENTRES:,} centres: error", few["error"]),
        Row(f"{n}: their error over the full solve's", few["error"] / drawn["error"], at_most=1.02),
    ]
    for name, case in (("random", drawn), ("greedy", greedy)):
        what = f"{n}, all points, {name} pivots, rank {RANK:,}"
        rows += [
            Row(f"{what}: time", case["seconds"] / 60, "min"),
            Row(f"{what}: load", case["load"]),
            Row(f"{what}: memory", case["memory"] / 2**20, "MiB"),
            Row(f"{what}: iterations", case["iterations"]),
            Row(f"{what}: residual", case["residual"], at_most=TOLERANCE),
            Row(f"{what}: error", case["error"]),
            Row(f"{what}: share of the trace left out", case["left out"]),
            Row(f"{what}: factor", case["factor"], "s"),
        ]
    iterations = drawn["iterations"] - greedy["iterations"]
    blocks = found["blocks"]
    return [
        *rows,
        Row(f"{n}: iterations by random pivots, less those by greedy", iterations, at_most=0),
        Row(f"{n}: factor, random over greedy", drawn["factor"] / greedy["factor"], at_most=0.5),
        Row(f"{n}, two passes of block descent: time", blocks["seconds"] / 60, "min"),
        Row(f"{n}, two passes of block descent: load", blocks["load"]),
        Row(f"{n}, two passes of block descent: memory", blocks["memory"] / 2**20, "MiB"),
        Row(f"{n}, two passes of block descent: residual", blocks["residual"]),
        Row(f"{n}, two passes of block descent: error", blocks["error"]),
    ]
