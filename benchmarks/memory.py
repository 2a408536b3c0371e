"""The memory that a function takes, in a process of its own.

`python -m benchmarks.memory MODULE FUNCTION` prints the highest resident size in bytes above what
the process held once `MODULE` was imported.
"""

import resource
import subprocess
import sys
from importlib import import_module
from pathlib import Path


def peak_above(module: str, function: str) -> int:
    """Bytes above the imports, of `module.function()` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", module, function]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _resident() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def main() -> None:
    module = import_module(sys.argv[1])
    before = _resident()
    getattr(module, sys.argv[2])()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)


if __name__ == "__main__":
    main()
