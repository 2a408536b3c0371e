"""Features of points, piece by piece, wherever an executor has places."""

from typing import Any

import torch
from torch import Tensor

from ntkit._core.executor import Executor
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.empirical.batch import Points

__all__ = ["spread_features"]

_PIECE = 256
"""Points of a piece: it depends on nothing else, so that digits do not depend on who computes."""


def spread_features(kernel: AbstractKernel, x: Points, n: int, executor: Executor) -> Tensor:
    """`kernel.features(x)` of `n` points; the kernel and the points travel once."""
    shared = executor.share((kernel, x))
    with torch.no_grad():
        return torch.cat(list(executor.map(_features, range(0, n, _PIECE), shared)))


def _features(start: int, source: tuple[Any, Points]) -> Tensor:
    kernel, x = source
    piece = slice(start, start + _PIECE)
    if isinstance(x, Tensor):
        return kernel.features(x[piece])
    if isinstance(x, dict):
        return kernel.features({name: t[piece] for name, t in x.items()})
    return kernel.features(tuple(t[piece] for t in x))
