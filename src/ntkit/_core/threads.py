"""How many OpenMP threads to use: decided once, on purpose, and reported.

Two busy cores with two OpenMP threads ran ten times slower than one thread on them, because each
parallel region waits for its slowest member. So a command asks for threads explicitly.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import TypeVar

import torch

__all__ = ["free_cores", "in_threads", "use_threads"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_pools: dict[int, ThreadPoolExecutor] = {}
"""Kept: starting two threads took as long as a kernel of 1,500 points."""

_AHEAD = 16
"""Items a thread that are under way or wait to be taken: enough that a slow one at the front does not stop the others."""


def free_cores() -> int:
    """Cores this process may use, less those that the load average says are busy; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, round((cores or 1) - busy))


def use_threads(n: int | None) -> int:
    """Set torch's thread count to `n` (`None`: the free cores) and return it.

    Raises:
        ValueError: `n` is below 1, or above the number of cores.
    """
    if n is not None and n < 1:
        raise ValueError(f"`threads={n}` must be at least 1; leave it out to use the free cores.")
    cores = os.cpu_count() or 1
    if n is not None and n > cores:
        raise ValueError(
            f"`threads={n}` is more than the {cores} cores of this machine, which would only slow it "
            "down. Leave it out to use the free ones."
        )
    count = free_cores() if n is None else n
    torch.set_num_threads(count)
    return count


@contextmanager
def in_threads(
    work: Callable[[_In], _Out], items: Iterable[_In], threads: int
) -> Iterator[Iterator[_Out]]:
    """`work` on each item, in threads of one OpenMP thread each; the results come in order.

    Few items are under way at a time, and a result is let go once it is taken: all together may be larger than memory.
    What has not begun when the block is left is called off, and what has is waited for.
    """
    if threads not in _pools:
        _pools[threads] = ThreadPoolExecutor(
            threads, initializer=torch.set_num_threads, initargs=(1,)
        )
    begun, left = deque[Future[_Out]](), iter(items)

    def begin(count: int) -> None:
        begun.extend(_pools[threads].submit(work, item) for item in islice(left, count))

    def results() -> Iterator[_Out]:
        while begun:
            result = begun.popleft().result()
            begin(1)
            yield result

    _count.one()
    try:
        begin(_AHEAD * threads)
        yield results()
    finally:
        for future in begun:
            future.cancel()
        wait(begun)
        _count.before()


class _Count:
    """Torch's thread count, 1 while anyone asks: MKL's belongs to the whole process."""

    def __init__(self) -> None:
        self._lock, self._users, self._found = Lock(), 0, 1

    def one(self) -> None:
        """Set it to 1."""
        with self._lock:
            if self._users == 0:  # a second one would find 1, and leave it
                self._found = torch.get_num_threads()
            self._users += 1
            torch.set_num_threads(1)

    def before(self) -> None:
        """Set it to what the first found."""
        with self._lock:
            self._users -= 1
            torch.set_num_threads(self._found)


_count = _Count()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads do not outlive a fork
