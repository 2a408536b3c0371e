"""Threads are set on purpose."""

import os

import pytest
import torch

from ntkit._core.threads import free_cores, use_threads


def test_threads_are_set_and_reported() -> None:
    before = torch.get_num_threads()
    try:
        assert use_threads(2) == torch.get_num_threads() == 2
        assert use_threads(None) == torch.get_num_threads() >= 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("cores", "load", "free"), [(8, 0.2, 8), (8, 3.1, 5), (2, 9.0, 1)])
def test_busy_cores_are_left_alone(monkeypatch, cores: int, load: float, free: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(cores)), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert free_cores() == free


def test_no_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="`threads=0` must be at least 1"):
        use_threads(0)
