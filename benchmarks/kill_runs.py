"""`ntkit tune` killed and stopped at random moments: what is lost, and how `--resume` ends.

20 runs are ended by SIGKILL and 20 by SIGTERM, each at a moment drawn evenly from the time that a run
takes. Then `--resume` goes on with each, and its weights are compared with those of a run that was not ended.
What is lost is the time of training that is taken again: from the end of the last checkpoint to the signal.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from benchmarks.report import Row

TIMES = 20
OPTIONS = (
    "--budget adam:1e-3:1000 --width 32 --depth 2 --n-frequencies 32 --bandwidths 2 5 --threads 1"
)


def measure() -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        y, x = np.mgrid[0:64, 0:64] / 64
        np.save(folder / "waves.npy", 0.5 + 0.25 * np.sin(60 * x * y) + 0.2 * np.cos(40 * x))
        began = time.monotonic()
        end(_started(folder, "whole"))
        took = time.monotonic() - began
        expected = _weights(folder / "whole")
        for number in (signal.SIGKILL, signal.SIGTERM):
            draw = random.Random(int(number))
            worst, lost, lines = 0.0, 0.0, 0
            for k in range(TIMES):
                run = folder / f"{number.name}-{k}"
                after = draw.uniform(0.5, took)
                process = _started(folder, run.name)
                try:
                    error = process.communicate(timeout=after)[1]
                except subprocess.TimeoutExpired:
                    lost = max(lost, _since_checkpoint(run))
                    process.send_signal(number)
                    error = process.communicate()[1]
                lines += b"Traceback" in error
                began_again = (run / "spec.json").exists()
                resumed = (
                    ["--resume", run.name] if began_again else ["waves.npy", *_options(run.name)]
                )
                end(called(folder, resumed))
                worst = max(worst, difference(expected, _weights(run)))
                partial = json.loads((run / "result.json").read_text())["partial"]
                assert partial is False, run
            rows += [
                Row(
                    f"{number.name}: largest difference of a weight from the whole run",
                    worst,
                    at_most=1e-6,
                ),
                Row(f"{number.name}: tracebacks", float(lines), at_most=0),
                Row(
                    f"{number.name}: training since the last checkpoint, at most",
                    lost,
                    "s",
                    at_most=10,
                ),
            ]
        rows.append(Row("a run that is not ended", took, "s"))
    return rows


def _started(folder: Path, out: str) -> subprocess.Popen[bytes]:
    return called(folder, ["waves.npy", *_options(out)])


def _options(out: str) -> list[str]:
    return [*OPTIONS.split(), "--out", out]


def called(folder: Path, arguments: list[str], *, command: str = "tune") -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    source = str(Path(__file__).resolve().parent.parent / "src")
    return subprocess.Popen(
        [sys.executable, "-m", "ntkit", command, *arguments, "--quiet"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that must end well."""
    error = process.communicate()[1]
    assert process.returncode == 0, error.decode()


def _weights(run: Path) -> dict[str, np.ndarray]:
    return {
        f"{name} {key}": value.numpy()
        for name in ("recommended", "no_encoding")
        for key, value in load_file(run / f"{name}.safetensors").items()
    }


def difference(expected: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> float:
    """The largest one of a weight."""
    assert expected.keys() == found.keys()
    return max(float(np.abs(expected[k] - found[k]).max()) for k in expected)


def _since_checkpoint(run: Path) -> float:
    """Seconds of training since it was last written; 0 before the first time, and after the last."""
    written = [p.stat().st_mtime for p in run.glob("*.safetensors")]
    is_trained = (run / "no_encoding.safetensors").exists()
    return 0.0 if is_trained or not written else time.time() - max(written)
