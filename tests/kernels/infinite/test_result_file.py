"""Files of results: whole or not there, whatever ends the writing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ntkit.kernels.infinite.back import result_file
from ntkit.kernels.infinite.back.result_file import opened

LIKE = torch.zeros(0, dtype=torch.float64)

WRITER = """
import sys, time, torch
from ntkit.kernels.infinite.back.result_file import opened
with opened(sys.argv[1], (3, 3), torch.zeros(0)) as table:
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("has_unnamed", [True, False])
def test_a_file_is_whole_or_not_there(
    tmp_path: Path, has_unnamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_unnamed:
        monkeypatch.setattr(result_file, "_unnamed", lambda folder: None)
    path = tmp_path / "gram.npy"
    with pytest.raises(KeyError), opened(path, (2, 3), LIKE) as table:
        table.fill_(1.0)
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    for value in (2.0, 3.0):  # a second one takes the place of the first
        with opened(path, (2, 3), LIKE) as table:
            table.fill_(value)
        assert (np.load(path) == value).all()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
def test_a_killed_writer_leaves_nothing_for_long(tmp_path: Path) -> None:
    path = tmp_path / "gram.npy"
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.send_signal(signal.SIGTERM)
        writer.wait()
    with opened(path, (2, 3), LIKE) as table:
        table.fill_(1.0)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="processes are not asked elsewhere")
def test_what_a_dead_process_left_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "gram.npy"
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    dead, alive = result_file._part(path, ended.pid), result_file._part(path, os.getppid())
    other, elsewhere = tmp_path / ".other.npy.1.part", tmp_path / ".gram.npy.host.1.part"
    for left in (dead, alive, other, elsewhere):
        left.touch()
    with opened(path, (2, 3), LIKE) as table:
        table.fill_(1.0)
    assert set(tmp_path.iterdir()) == {path, alive, other, elsewhere}
