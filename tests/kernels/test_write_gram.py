"""Matrices in Zarr arrays: right, resumed, refused where they are of something else, whole or absent."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("zarr")

import zarr

import ntkit
from ntkit._core.executor import Threads
from ntkit.kernels import RBF, ArcCosine, Matern, missing_chunks, write_gram
from tests.tolerances import assert_near

X = torch.rand(23, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.rand(17, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(zarr.open_array(path, mode="r")[:])


def chunk(path: Path, *index: int) -> Path:
    return path.joinpath("c", *map(str, index))


def test_plain_zarr_reads_the_matrix(tmp_path: Path) -> None:
    for name, x2 in (("same", None), ("other", Y)):
        found = write_gram(RBF(0.5), X, x2, path=tmp_path / f"{name}.zarr", chunk=5)
        assert_near(torch.from_numpy(found[:]), RBF(0.5)(X, x2))
        assert missing_chunks(tmp_path / f"{name}.zarr")[0] == 0
    matrix = read(tmp_path / "same.zarr")
    assert torch.equal(matrix, matrix.T)


def test_a_network_writes_it_by_out(tmp_path: Path) -> None:
    net = ntkit.networks.mlp(ntkit.encodings.Basic(3), 1, width=64, depth=2)
    kernel = ntkit.ntk(net)
    for x in (X, X.float()):
        path = tmp_path / f"{x.dtype}.zarr"
        found = kernel(x, out=path)
        assert str(found.dtype) == str(x.dtype).removeprefix("torch.")
        assert torch.equal(torch.from_numpy(found[:]), kernel(x))
    with pytest.raises(ValueError, match=r"must end in \.zarr"):
        kernel(X, out=tmp_path / "K.tif")


def test_kernels_of_several_outputs_keep_their_axes(tmp_path: Path) -> None:
    net = torch.nn.Linear(3, 2).double()
    kernel = ntkit.empirical_ntk(net, outputs="full")
    found = write_gram(kernel, X, path=tmp_path / "K.zarr", chunk=10)
    assert_near(torch.from_numpy(found[:]), kernel(X))


def test_shares_make_the_whole_and_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "K.zarr"
    for share, left in ((2, 15), (1, 8), (3, 0)):
        write_gram(RBF(0.5), X, path=path, chunk=5, part=(share, 3))
        assert missing_chunks(path) == (left, 25)
    assert_near(read(path), RBF(0.5)(X))
    for wrong in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="shares count from 1"):
            write_gram(RBF(0.5), X, path=path, chunk=5, part=wrong)


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "K.zarr"
    write_gram(RBF(0.5), X, path=path, chunk=5)
    whole = read(path)
    chunk(path, 1, 3).unlink()
    with chunk(path, 2, 2).open("r+b") as file:
        file.truncate(17)
    assert missing_chunks(path) == (2, 25)
    kept = chunk(path, 0, 4).stat().st_mtime_ns
    write_gram(RBF(0.5), X, path=path, chunk=5)
    assert torch.equal(read(path), whole)
    assert chunk(path, 0, 4).stat().st_mtime_ns == kept


def test_damage_is_seen_by_readers_and_mended(tmp_path: Path) -> None:
    path = tmp_path / "K.zarr"
    write_gram(RBF(0.5), X, path=path, chunk=5)
    whole = read(path)
    with chunk(path, 1, 0).open("r+b") as file:
        file.seek(40)
        file.write(b"\x00\x01\x02")
    write_gram(RBF(0.5), X, path=path, chunk=5)  # its size is right
    with pytest.raises(ValueError, match="checksum"):
        read(path)
    write_gram(RBF(0.5), X, path=path, chunk=5, verify=True)
    assert torch.equal(read(path), whole)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kernel": RBF(0.6)}, "kernel"),
        ({"kernel": Matern(0.5, 0.5)}, "kernel"),
        ({"x1": X + 1e-15}, "points"),
        ({"x1": X.float()}, "points"),
        ({"x2": X.clone()}, "points"),
        ({"chunk": 6}, "chunks"),
    ],
    ids=str,
)
def test_another_matrix_is_refused(tmp_path: Path, change: dict, named: str) -> None:
    asked = {"kernel": RBF(0.5), "x1": X, "x2": None, "path": tmp_path / "K.zarr", "chunk": 5}
    write_gram(**asked)
    with pytest.raises(ValueError, match=f"another matrix: its {named} is"):
        write_gram(**{**asked, **change})


def test_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gram(RBF(0.5), X, path=tmp_path / "K.zarr")
    monkeypatch.setattr("ntkit.kernels.zarr_file.version", lambda name: "0.0.1")
    with pytest.raises(ValueError, match=r"its ntkit is .*, and here it is 0\.0\.1"):
        write_gram(RBF(0.5), X, path=tmp_path / "K.zarr")


def test_trained_weights_are_another_kernel(tmp_path: Path) -> None:
    net = ntkit.networks.mlp(ntkit.encodings.Basic(3), 1, width=16, depth=2)
    kernel = ntkit.empirical_ntk(net)
    write_gram(kernel, X, path=tmp_path / "K.zarr")
    write_gram(ntkit.empirical_ntk(net), X, path=tmp_path / "K.zarr")
    with torch.no_grad():
        next(net.parameters()).add_(0.1)
    with pytest.raises(ValueError, match="its kernel is"):
        write_gram(kernel, X, path=tmp_path / "K.zarr")


def test_what_is_no_place_for_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.zarr"):
        write_gram(RBF(0.5), X, path=tmp_path / "K.npy")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot be made: .* Pass a path in an existing folder"):
        write_gram(RBF(0.5), X, path=tmp_path / "file" / "K.zarr")
    zarr.create_array(tmp_path / "other.zarr", shape=(3,), dtype="float64")
    with pytest.raises(ValueError, match="of something else"):
        write_gram(RBF(0.5), X, path=tmp_path / "other.zarr")


def test_a_number_of_threads_is_no_executor(tmp_path: Path, unchecked: None) -> None:
    with pytest.raises(TypeError, match="`executor` must have"):
        write_gram(RBF(0.5), X, path=tmp_path / "K.zarr", executor=2)  # pyright: ignore[reportArgumentType]


class Replacing(RBF):
    """While it computes, another process puts the array of another kernel in place of this one's."""

    def __init__(self, path: Path) -> None:
        super().__init__(0.5)
        self.path = path

    def __call__(self, x1: torch.Tensor, x2: torch.Tensor | None = None) -> torch.Tensor:
        if self.path.exists():
            shutil.rmtree(self.path)
            write_gram(RBF(0.6), X, path=self.path, chunk=5)
        return super().__call__(x1, x2)


def test_an_array_replaced_meanwhile_gets_none_of_the_old_chunks(tmp_path: Path) -> None:
    path = tmp_path / "K.zarr"
    with pytest.raises(ValueError, match="replaced by the array of another matrix"):
        write_gram(Replacing(path), X, path=path, chunk=5)
    assert missing_chunks(path)[0] == 0
    assert_near(read(path), RBF(0.6)(X))


@pytest.mark.skipif(os.name != "posix", reason="limits of a process")
def test_a_full_disk_is_an_error_that_leaves_whole_chunks(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "K.zarr"
    write_gram(RBF(0.5), X, path=path, chunk=12, part=(1, 2))
    before = sorted(p for p in path.rglob("*") if p.is_file())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a chunk takes 1,156 bytes
    try:
        with pytest.raises(
            OSError, match=r"chunk \(0, 1\) .* could not be written: File too large.*make room"
        ):
            write_gram(RBF(0.5), X, path=path, chunk=12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(p for p in path.rglob("*") if p.is_file()) == before
    write_gram(RBF(0.5), X, path=path, chunk=12)
    assert_near(read(path), RBF(0.5)(X))


def test_what_killed_writers_left_is_removed_when_it_is_old(tmp_path: Path) -> None:
    path = tmp_path / "K.zarr"
    write_gram(RBF(0.5), X, path=path, chunk=5)
    left = [chunk(path, 0, f"1.{k}.partial") for k in ("a", "b")]  # pyright: ignore[reportArgumentType]
    for file in left:
        file.touch()
    os.utime(left[0], (time.time() - 7200,) * 2)
    write_gram(RBF(0.5), X, path=path, chunk=5)
    assert [file.exists() for file in left] == [False, True]


def test_threads_write_the_same(tmp_path: Path) -> None:
    kernel = ArcCosine(1)
    one = write_gram(kernel, X, path=tmp_path / "one.zarr", chunk=5)
    two = write_gram(kernel, X, path=tmp_path / "two.zarr", chunk=5, executor=Threads(2))
    np.testing.assert_array_equal(one[:], two[:])


WRITER = """
import sys, time, torch
from ntkit.kernels import RBF, write_gram
at_once = RBF.__call__
def slowly(*points):
    time.sleep(0.05)
    return at_once(*points)
RBF.__call__ = slowly
x = torch.linspace(0, 1, 60, dtype=torch.float64)[:, None]
write_gram(RBF(0.5), x, path=sys.argv[1], chunk=6)
"""


def left(path: Path) -> int:
    return missing_chunks(path)[0] if path.exists() else 100


@pytest.mark.slow
def test_two_writers_and_killed_ones_make_one_whole_array(tmp_path: Path) -> None:
    x = torch.linspace(0, 1, 60, dtype=torch.float64)[:, None]
    write_gram(RBF(0.5), x, path=tmp_path / "one.zarr", chunk=6)
    path, whole = tmp_path / "K.zarr", read(tmp_path / "one.zarr")
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        while left(path) > 60:
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        second.send_signal(signal.SIGKILL)
    assert left(path) > 0
    found = read(path)
    assert torch.equal(found[~found.isnan()], whole[~found.isnan()])
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        assert first.wait() == second.wait() == 0
    assert torch.equal(read(path), whole)
