"""A solve that was stopped at any iteration goes on, and ends with the same bits; another one is refused."""

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ntkit.kernels import RBF
from ntkit.operators import TiledOperator
from ntkit.solvers import (
    BlockDescent,
    ConjugateGradients,
    InducingPoints,
    PivotedCholesky,
    kernel_ridge,
    solve,
)
from ntkit.solvers.checkpoint_folder import checked_folder
from tests.cases import randn
from tests.tolerances import relative_error

X = randn(150, 3)
Y = X.sin()

METHODS: dict[str, Callable[..., Any]] = {
    "plain": lambda **o: ConjugateGradients(**o),
    "preconditioned": lambda **o: ConjugateGradients(PivotedCholesky(10), **o),
    "float32": lambda **o: ConjugateGradients(PivotedCholesky(10), dtype=torch.float32, **o),
    "blocks": lambda **o: BlockDescent(40, **o),
    "inducing": lambda **o: InducingPoints(X[:12], **o),  # a sample of the rows
    "one pass": lambda **o: InducingPoints(X[:9], **o),  # all of them
}


CALLS = [float("inf")]
"""How many the kernel answers before it ends the work of its process."""


CALLS_A_RUN = {
    "plain": 30, "preconditioned": 40, "float32": 40, "blocks": 25, "inducing": 86, "one pass": 17
}  # fmt: skip
"""Enough for what precedes the iterations, and for some of them; of the one pass for some pieces."""


class Stopping(RBF):
    """A kernel that ends the work."""

    def __call__(self, x1: torch.Tensor, x2: torch.Tensor | None = None) -> torch.Tensor:
        CALLS[0] -= 1
        if CALLS[0] == 0:
            raise KeyboardInterrupt
        return super().__call__(x1, x2)


KERNEL = Stopping(1.0)


def solved(
    method: Any,
    calls: float = float("inf"),
    *,
    kernel: RBF = KERNEL,
    ridge: float = 0.1,
    y: torch.Tensor = Y,
) -> Any:
    CALLS[0] = calls
    if isinstance(method, InducingPoints):
        return kernel_ridge(kernel, X, y, ridge=ridge, tolerance=1e-8, method=method).solution
    op = TiledOperator(kernel, X, X, tile_bytes=8 * 75**2)
    tolerance = 1e-3 if isinstance(method, BlockDescent) else 1e-8
    return solve(op, y, ridge=ridge, tolerance=tolerance, method=method)


@pytest.fixture(autouse=True)
def _each_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ntkit.solvers.checkpoint._SECONDS", 0.0)
    monkeypatch.setattr("ntkit.solvers.normal_equations._WHOLE", 10)
    monkeypatch.setattr("ntkit.solvers.inducing_system._TILE_BYTES", 8 * 9 * 10)


@pytest.mark.parametrize("name", METHODS)
def test_stopped_again_and_again_it_ends_with_the_same_bits(name: str, tmp_path: Path) -> None:
    make, folder = METHODS[name], tmp_path / "run"
    whole, stops = solved(make()), 0
    assert whole.converged
    while True:
        try:
            found = solved(make(checkpoint=folder), calls=CALLS_A_RUN[name])
            break
        except KeyboardInterrupt:
            stops += 1
            assert stops < 100
            assert {path.name for path in folder.iterdir()} <= {"solve.pt", "normal.pt"}
    assert stops > 1
    assert torch.equal(found.x, whole.x)
    assert (found.iterations, found.residual) == (whole.iterations, whole.residual)
    assert not list(folder.iterdir())  # solved: nothing is left


@pytest.mark.parametrize("rows", [1, 4, 1000])
def test_a_device_with_tiles_of_another_size_goes_on_at_the_same_point(
    rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = METHODS["one pass"]
    with pytest.raises(KeyboardInterrupt):
        solved(make(checkpoint=tmp_path), calls=10)
    assert [path.name for path in tmp_path.iterdir()] == ["normal.pt"]
    monkeypatch.setattr("ntkit.solvers.inducing_system._TILE_BYTES", 8 * 9 * rows)
    monkeypatch.setattr("ntkit.solvers.normal_equations._SHARE", 1)
    assert relative_error(solved(make(checkpoint=tmp_path)).x, solved(make()).x) < 1e-8


@pytest.mark.parametrize("name", METHODS)
def test_another_problem_is_refused_by_name(name: str, tmp_path: Path) -> None:
    make = METHODS[name]
    with pytest.raises(KeyboardInterrupt):
        solved(make(checkpoint=tmp_path), calls=CALLS_A_RUN[name])
    others: dict[str, dict[str, Any]] = {
        "ridge": {"ridge": 0.2},
        "right-hand sides": {"y": 1.001 * Y},
        "operator": {"kernel": Stopping(1.01)},
    }
    for words, options in others.items():
        with pytest.raises(ValueError, match=rf"of another solve: its (.*, )?{words}"):
            solved(make(checkpoint=tmp_path), **options)
    solved(make(checkpoint=tmp_path))  # it is as it was


def test_another_method_is_refused_and_a_damaged_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        solved(ConjugateGradients(checkpoint=tmp_path), calls=30)
    for method in (
        ConjugateGradients(PivotedCholesky(9), checkpoint=tmp_path),
        BlockDescent(40, checkpoint=tmp_path),
    ):
        with pytest.raises(ValueError, match="of another solve: its method differ"):
            solved(method)
    path = tmp_path / "solve.pt"
    for content in (path.read_bytes()[:100], b"", b"something else", pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"is no checkpoint of a solve, or it is damaged"):
            solved(ConjugateGradients(checkpoint=tmp_path))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "one pass"])
def test_what_ran_out_goes_on_with_more(name: str, tmp_path: Path) -> None:
    make = METHODS[name]
    limit = "max_passes" if name == "blocks" else "max_iterations"
    whole = solved(make())
    for count in (2, 3):
        with pytest.warns(RuntimeWarning, match="reached a relative residual"):
            short = solved(make(checkpoint=tmp_path, **{limit: count}))
        assert (short.iterations, short.converged) == (count, False)
    found = solved(make(checkpoint=tmp_path))
    assert torch.equal(found.x, whole.x)
    assert found.iterations == whole.iterations


@pytest.mark.parametrize("name", METHODS)
def test_odd_folders_are_refused_before_any_product(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "run" / "solve.pt").mkdir(parents=True)
    odd = {
        "": (ValueError, "`checkpoint=''` is no name of a folder"),
        "a\0b": (ValueError, r"`checkpoint='a\\x00b'` is no name of a folder"),
        "/proc/x": (OSError, "`checkpoint=/proc/x` cannot be written into: No such file"),
        "/proc": (OSError, "`checkpoint=/proc` cannot be written into: "),
        "a" * 300: (OSError, "cannot be written into: File name too long"),
        tmp_path / "file": (OSError, "is a file. Pass another folder"),
        tmp_path / "file" / "x": (OSError, "cannot be written into: Not a directory"),
        tmp_path / "run": (OSError, r"holds a folder of the name `solve\.pt`"),
    }
    for folder, (kind, words) in odd.items():
        with pytest.raises(kind, match=words) as refused:
            solved(METHODS[name](checkpoint=folder), calls=1)
        assert "\n" not in str(refused.value)
    with pytest.raises(TypeError, match="`checkpoint=7` must be the name of a folder"):
        checked_folder(7)


def test_a_full_disk_says_so_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        solved(BlockDescent(40, checkpoint=tmp_path), calls=30)
    before = (tmp_path / "solve.pt").read_bytes()

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"solve\.pt` could not be written: No space left on device"):
        solved(BlockDescent(40, checkpoint=tmp_path))
    assert (tmp_path / "solve.pt").read_bytes() == before


KILLED = """
import sys, time, torch
from tests.solvers import test_checkpoint as here
from ntkit.solvers import checkpoint, inducing_system, normal_equations
checkpoint._SECONDS = 0.0
normal_equations._WHOLE, inducing_system._TILE_BYTES = 10, 8 * 9 * 10
plain = here.RBF.__call__
def slow(self, x1, x2=None):
    time.sleep(0.004)
    return plain(self, x1, x2)
here.RBF.__call__ = slow
torch.set_num_threads(1)
found = here.solved(here.METHODS[sys.argv[1]](checkpoint=sys.argv[2]))
torch.save((found.x, found.iterations), sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["preconditioned", "blocks", "inducing", "one pass"])
def test_kill_9_at_any_moment_changes_no_bit(name: str, tmp_path: Path) -> None:
    whole, kills = solved(METHODS[name]()), 0
    folder, result = tmp_path / "run", tmp_path / "result.pt"
    command = [sys.executable, "-c", KILLED, name, str(folder), str(result)]
    draw = random.Random(0)
    while not result.exists():
        before = _version(folder)
        work = subprocess.Popen(command)
        while work.poll() is None and _version(folder) == before:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.1)
        if kills < 4 and work.poll() is None:
            os.kill(work.pid, signal.SIGKILL)
            kills += 1
        work.wait()
    x, iterations = torch.load(result)
    assert kills > 0
    assert iterations == whole.iterations
    assert torch.equal(x, whole.x)


def _version(folder: Path) -> int:
    """Another number once a checkpoint was written."""
    paths = [folder / "solve.pt", folder / "normal.pt"]
    return max((path.stat().st_mtime_ns for path in paths if path.exists()), default=0)
