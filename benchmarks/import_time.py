"""The time that `import ntkit` takes beside `import torch`.

Fresh processes, alternating, medians of 15 after one of each to warm the disk's cache and to write
the bytecode, which is on by default (a variable that forbids it is not handed on).
"""

import os
import subprocess
import sys
import time
from statistics import median

from benchmarks.report import Row

REPEATS = 15


def seconds_to_import(name: str) -> float:
    usual = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {name}"], check=True, env=usual)
    return time.perf_counter() - start


def measure() -> list[Row]:
    names = ("torch", "ntkit")
    for name in names:
        seconds_to_import(name)
    rounds = [[seconds_to_import(name) for name in names] for _ in range(REPEATS)]
    torch_s, ntkit_s = (median(column) for column in zip(*rounds, strict=True))
    return [
        Row("`import torch`, whole process", torch_s, "s"),
        Row("`import ntkit`, whole process", ntkit_s, "s"),
        Row("ratio", ntkit_s / torch_s, at_most=1.2),
    ]
