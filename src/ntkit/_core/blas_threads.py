"""The threads of SciPy's linear algebra, which `torch.set_num_threads` does not reach."""

import importlib
from functools import cache

import torch

from ntkit._core.settings import Shared

__all__ = ["blas_threads"]


@cache
def blas_threads() -> Shared | None:
    """A hold of the BLAS libraries that are loaded at the first call, at as many threads as torch has.

    Left alone they take all cores, also where torch was told to take one. On two busy cores an eigendecomposition of 1,500
    points took 4.7 s with two threads and 0.3 s with one. None where they cannot be held: without threadpoolctl, or
    with a BLAS that it does not know.
    """
    try:
        found = importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None
    libraries = found.select(user_api="blas")
    if not len(libraries):
        return None
    return Shared(lambda: libraries.limit(limits=torch.get_num_threads()))
