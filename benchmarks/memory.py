"""The memory that a function takes, in a process of its own.

`python -m benchmarks.memory MODULE FUNCTION` prints the highest resident size in bytes above what
the process held once `MODULE` was imported, and what the function returns.
"""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import torch


def peak_above(module: str, function: str) -> int:
    """Bytes above the imports, of `module.function()` in a fresh process."""
    return measured(module, function)[0]


def measured(module: str, function: str) -> tuple[int, Any]:
    """The same, and the number that the function returns."""
    command = [sys.executable, "-m", "benchmarks.memory", module, function]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    peak, value = json.loads(done.stdout)
    return peak, value


def resident(field: str = "VmRSS") -> int:
    """Bytes now; with "VmHWM" the most since the start, which `ru_maxrss` has from the parent too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return int(line.split()[1]) * 1024


def main() -> None:
    module = import_module(sys.argv[1])
    before = resident()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    value = getattr(module, sys.argv[2])()
    peak = resident("VmHWM") - before
    print(json.dumps([peak, value]))


if __name__ == "__main__":
    main()
