"""`ntkit fit` killed at random moments in each kind of data, and how `--resume` ends.

Five moments are drawn evenly from the time that a run takes once its folder is there (before, nothing is written, and
nothing is there to go on with): while it trains, writes a checkpoint, judges or draws its report. The others are drawn
from half of that time, from the first checkpoint on: on a busy machine the former come before it. The run is ended by
SIGKILL, `--resume` goes on with it, and the weights are compared with those of a run that was left alone.
The data are made here and small: waves, a chirp, a ball of waves, moving waves, scattered samples, a bumpy ball,
views of two balls; the encoding is told (runs that ask the kernel are killed in `kill_runs`). Checkpoints are 5 seconds
apart, so a run that is killed earlier in its training begins the training again.

`NTKIT_KILLS=20` takes so many moments in each job, 10 unless it is set. Each is kept in `kill_jobs_moments.json` as it
ends, with where the run stood, and a second start goes on (delete the file to begin afresh).

`tests/tasks/test_jobs.py` goes on with a training of each kind, to the last bit.
"""

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from benchmarks.kept import Entry, keep, read
from benchmarks.kill_runs import called, difference, end
from benchmarks.report import RESULTS, Row
from tests.spheres import cameras, pictures

TIMES = int(os.environ.get("NTKIT_KILLS", "10"))
_EVEN = 5
"""Moments from all of a run; the others come after its first checkpoint."""

PATH = RESULTS / "kill_jobs_moments.json"
KINDS = ("image", "audio", "volume", "video", "points", "shape", "field")
ASKED = 1e-6
_COMMON = (
    "--encoding gaussian --bandwidth 4 --width 48 --depth 2 --n-frequencies 32 --batch-size 512 "
    "--hold-out 0.1 --threads 1"
)
_STEPS = 4000
_FEWER = {"field": 600}
"""A step of rays is many points."""

_ALSO = {"shape": "--n-points 20000"}


def measure() -> list[Row]:
    found = read(PATH)
    with tempfile.TemporaryDirectory() as name:
        for kind in KINDS:
            steps = _FEWER.get(kind, _STEPS)
            left = [k for k in range(TIMES) if f"{kind}|{steps}|{k}" not in found]
            if left:
                folder = Path(name) / kind
                folder.mkdir()
                for k, entry in zip(left, _ended(kind, folder, left), strict=True):
                    found = keep(PATH, f"{kind}|{steps}|{k}", entry)
    taken = [kind for kind in KINDS if any(key.startswith(f"{kind}|") for key in found)]
    return [row for kind in taken for row in _rows(kind, found)]


def _rows(kind: str, found: dict[str, Entry]) -> list[Row]:
    own = [entry for key, entry in found.items() if key.split("|")[0] == kind]
    stood = ", ".join(
        f"{sum(e['stood'] == s for e in own)} {s}"
        for s in ("before a checkpoint", "after a checkpoint", "whole")
    )
    worst = max(e["difference"] for e in own)
    about = f"{kind}: {len(own)} moments ({stood})"
    return [
        Row(f"{about}: largest difference of a weight from the whole run", worst, at_most=ASKED),
        Row(f"{kind}: tracebacks", sum(e["tracebacks"] for e in own), at_most=0),
    ]


def _ended(kind: str, folder: Path, moments: list[int]) -> Any:
    """One entry a moment: where the run stood when it was killed, and how its resumption ends."""
    data = _data(kind, folder)
    whole = called(folder, [data, *_options(kind, "whole")], command="fit")
    _await_folder(folder / "whole", whole)
    began = time.monotonic()
    end(whole)
    took = time.monotonic() - began
    expected = _weights(folder / "whole")
    for k in moments:
        after = random.Random(f"{kind} {k}").uniform(0, took if k < _EVEN else took / 2)
        run = folder / f"killed-{k}"
        process = called(folder, [data, *_options(kind, run.name)], command="fit")
        _await_folder(run, process)
        while k >= _EVEN and not any(run.glob("*.safetensors")) and process.poll() is None:
            time.sleep(0.01)
        try:
            error = process.communicate(timeout=after)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            error = process.communicate()[1]
        stood = _stood(run)
        end(called(folder, ["--resume", run.name], command="fit"))
        assert json.loads((run / "result.json").read_text())["partial"] is False, run
        yield {
            "after_s": round(after, 2),
            "of_s": round(took, 2),
            "since": "the folder" if k < _EVEN else "the first checkpoint",
            "stood": stood,
            "difference": difference(expected, _weights(run)),
            "tracebacks": int(b"Traceback" in error),
        }


def _await_folder(run: Path, process: subprocess.Popen[bytes]) -> None:
    while not (run / "spec.json").exists() and process.poll() is None:
        time.sleep(0.01)


def _stood(run: Path) -> str:
    result = run / "result.json"
    if result.exists() and json.loads(result.read_text()).get("partial") is False:
        return "whole"
    kept = any(run.glob("*.safetensors"))
    return "after a checkpoint" if kept else "before a checkpoint"


def _data(kind: str, folder: Path) -> str:
    """A small file of that kind, and its name."""
    draw = np.random.default_rng(0)
    if kind == "points":
        at = draw.random((1500, 2))
        values = np.sin(9 * at[:, 0]) * np.cos(7 * at[:, 1])
        np.savez(folder / "points.npz", points=at, values=values)
        return "points.npz"
    if kind == "shape":
        return _ball(folder / "ball.obj")
    if kind == "field":
        return _views(folder / "views.npz")
    shapes = {"image": (64, 64), "audio": (4000,), "volume": (16,) * 3, "video": (12, 20, 20)}
    axes = np.meshgrid(*(np.arange(n) / n for n in shapes[kind]), indexing="ij")
    if kind == "audio":
        values = 0.8 * np.sin(300 * axes[0] ** 2)
    elif kind == "video":
        values = 0.5 + 0.4 * np.sin(12 * axes[1] + 6 * axes[0]) * np.cos(9 * axes[2])
    else:
        values = 0.5 + 0.4 * np.sin(30 * sum((x - 0.5) ** 2 for x in axes))
    np.save(folder / f"{kind}.npy", values)
    return f"{kind}.npy"


def _ball(path: Path) -> str:
    """A closed surface of triangles: a ball with bumps, 24 x 12 places of longitude and latitude."""
    n, m = 24, 12
    turn, fall = np.meshgrid(np.arange(n) * 2 * np.pi / n, (np.arange(m) + 0.5) * np.pi / m)
    radius = 1 + 0.2 * np.sin(3 * turn) * np.sin(fall) ** 2
    rings = radius * np.stack([
        np.sin(fall) * np.cos(turn),
        np.sin(fall) * np.sin(turn),
        np.cos(fall),
    ])
    vertices = np.concatenate([rings.reshape(3, -1).T, [[0, 0, 1.0]], [[0, 0, -1.0]]])
    faces = []
    for j in range(n):
        k = (j + 1) % n
        faces += [(n * m, j, k), (n * m + 1, n * (m - 1) + k, n * (m - 1) + j)]
        for i in range(m - 1):
            a, b, c, d = n * i + j, n * i + k, n * (i + 1) + j, n * (i + 1) + k
            faces += [(a, c, b), (b, c, d)]
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += ["f " + " ".join(str(v + 1) for v in face) for face in faces]
    path.write_text("\n".join(lines) + "\n")
    return path.name


def _views(path: Path) -> str:
    """Six pictures of two balls, with their cameras."""
    seen = cameras(6, 16)
    poses = [np.vstack([camera.pose, [0, 0, 0, 1]]) for camera in seen]
    np.savez(
        path,
        images=np.stack(pictures(seen)).clip(0, 1),
        poses=np.stack(poses),
        focal=seen[0].focal[0],
        near=1.0,
        far=4.0,
        n_train=5,
        premultiplied=True,
    )
    return path.name


def _options(kind: str, out: str) -> list[str]:
    budget = f"--budget adam:1e-3:{_FEWER.get(kind, _STEPS)}"
    options = f"--as {kind} {_COMMON} {budget} --out {out} {_ALSO.get(kind, '')}"
    return (options.replace("-size 512", "-size 64") if kind == "field" else options).split()


def _weights(run: Path) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in load_file(run / "network.safetensors").items()}
