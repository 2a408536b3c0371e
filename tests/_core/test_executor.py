"""Threads of this machine serve the protocol of executors."""

import pytest
import torch

from ntkit._core.executor import Executor, Threads

COUNTS = pytest.mark.parametrize("count", [1, 2])


@COUNTS
def test_work_comes_back_in_order_with_what_is_shared(count: int) -> None:
    threads = Threads(count)
    assert isinstance(threads, Executor)
    shared = threads.share({"factor": 3})
    found = threads.map(lambda k, values, more: k * values["factor"] + more, range(20), shared, 1)
    assert list(found) == [3 * k + 1 for k in range(20)]


@COUNTS
def test_gradients_follow_the_mode_of_who_asks(count: int) -> None:
    x = torch.ones(2, requires_grad=True)
    parts = list(Threads(count).map(lambda k: k * x, [1.0, 2.0]))
    torch.stack(parts).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 3.0]
    with torch.no_grad():
        assert not any(
            part.requires_grad for part in Threads(count).map(lambda k: k * x, [1.0, 2.0])
        )


@COUNTS
def test_a_fault_is_raised(count: int) -> None:
    with pytest.raises(ZeroDivisionError):
        list(Threads(count).map(lambda k: 1 / k, [1, 0]))


def test_no_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="`count"):
        Threads(0)
