"""How many OpenMP threads to use: decided once, on purpose, and reported.

Two busy cores with two OpenMP threads ran ten times slower than one thread on them, because each
parallel region waits for its slowest member. So a command asks for threads explicitly.
"""

import os

import torch

__all__ = ["free_cores", "use_threads"]


def free_cores() -> int:
    """Cores this process may use, less those that the load average says are busy; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, round((cores or 1) - busy))


def use_threads(n: int | None) -> int:
    """Set torch's thread count to `n` (`None`: the free cores) and return it.

    Raises:
        ValueError: `n` is below 1.
    """
    if n is not None and n < 1:
        raise ValueError(f"`threads={n}` must be at least 1; leave it out to use the free cores.")
    count = free_cores() if n is None else n
    torch.set_num_threads(count)
    return count
