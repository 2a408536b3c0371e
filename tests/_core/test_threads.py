"""Threads are set on purpose."""

import os
import threading
import weakref

import pytest
import torch
from torch import Tensor

from ntkit._core.threads import free_cores, in_threads, use_threads


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


def test_work_in_threads_comes_back_in_order_and_leaves_the_count_of_threads() -> None:
    before = torch.get_num_threads()
    with in_threads(lambda k: (k, torch.get_num_threads()), range(50), 2) as results:
        assert list(results) == [(k, 1) for k in range(50)]
    assert torch.get_num_threads() == before


def test_what_is_taken_is_let_go() -> None:
    """A million results need not fit into memory: 200 here, of which few are held at a time."""
    held: list[weakref.ref[Tensor]] = []

    def work(k: int) -> Tensor:
        made = torch.full((3,), k)
        held.append(weakref.ref(made))
        return made

    most = 0
    with in_threads(work, range(200), 2) as results:
        for k, result in enumerate(results):
            assert result[0] == k
            most = max(most, sum(ref() is not None for ref in held))
    assert most <= 40


def test_a_fault_in_a_thread_is_raised_and_calls_off_what_has_not_begun() -> None:
    before, begun, gate = torch.get_num_threads(), [], threading.Event()

    def work(k: int) -> None:
        begun.append(k)
        if k == 0:
            raise ArithmeticError("at the first")
        gate.wait(60)

    with (
        pytest.raises(ArithmeticError, match="at the first"),
        in_threads(work, range(9), 2) as runs,
    ):
        try:
            list(runs)
        finally:
            gate.set()
    assert torch.get_num_threads() == before
    with in_threads(abs, [-1], 2) as results:  # the threads serve again
        assert list(results) == [1]
