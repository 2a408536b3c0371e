"""200 mutated images, arrays, specs and run folders, as `ntkit tune` meets them.

Those of `tests/fuzz/files.py`, by their seeds: bytes flipped, cut off, put in or taken out; odd shapes, types
and values; options of a wrong kind. No traceback may appear, no file be half written, and the exit code is 0
or 2. `NTKIT_FUZZ` holds the number of files, if not 200.
"""

import os
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from benchmarks.report import Row

N = int(os.environ.get("NTKIT_FUZZ", "200"))


def measure() -> list[Row]:
    from ntkit.experiments import tune_run
    from tests.fuzz.files import outcome

    tune_run.draw_tune = lambda *_: None  # the pictures, which take most of the time
    codes, faults = Counter[int](), []
    for seed in range(N):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = outcome(seed, Path(folder))
        codes[found.code] += 1
        if found.fault:
            faults.append(seed)
            print(f"seed {seed}: {found}", flush=True)
    return [
        Row("files", float(N)),
        Row("tracebacks, half-written files, other exit codes", float(len(faults)), at_most=0),
        Row("read, and tuned for (exit code 0)", float(codes[0])),
        Row("refused in one line (exit code 2)", float(codes[2])),
    ]
