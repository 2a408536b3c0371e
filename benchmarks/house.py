"""Times of the library before and after it was put in order: a network as a program, a strategy with its own code.

Each case is called in two processes in turn, one of which imports the library as it was (its `src` folder is named by
the environment variable NTKIT_BEFORE, from a checkout of 2a98c4e), the other as it is; medians of eleven rounds of processor
time, after a first call. The flow had called LAPACK by a name that SciPy does not promise; it now takes public names, which
might have cost 1.6 times as much.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.house_cases import CASES
from benchmarks.report import Row

BEFORE = os.environ.get("NTKIT_BEFORE")
ROUNDS = 11
_MOST = 1.05
_TARGETS = {
    "small MLP, n = 32, called again": 0.8,
    "gradient flow, n = 2,000, float64": 1.6,
    "gradient flow, n = 2,000, float32": 1.6,
}


def measure() -> list[Row]:
    if not BEFORE:
        raise SystemExit("Set NTKIT_BEFORE to the `src` folder of a checkout of 2a98c4e.")
    now = str(Path(__file__).parents[1] / "src")
    both = [worker(BEFORE), worker(now)]
    rows = []
    for name in CASES:
        for process in both:
            seconds(process, name)
        most = _TARGETS.get(name, _MOST)
        before, after = times(both, name)
        rows += [
            Row(f"{name}: before", 1e3 * before, "ms"),
            Row(f"{name}: now over before", after / before, at_most=most),
        ]
        print(name, f"{after / before:.3f}", flush=True)
    for process in both:
        process.terminate()
    return rows


def times(both: "list[subprocess.Popen[str]]", name: str) -> tuple[float, float]:
    """Medians of both processes, which take turns."""
    found = [[seconds(process, name) for process in both] for _ in range(ROUNDS)]
    before, after = (median(times) for times in zip(*found, strict=True))
    return before, after


def worker(source: str) -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.house_cases"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([source, root])},
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def seconds(process: "subprocess.Popen[str]", name: str) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(name + "\n")
    process.stdin.flush()
    return float(process.stdout.readline())
