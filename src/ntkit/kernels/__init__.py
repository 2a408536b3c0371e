"""Kernels: callables `k(x1, x2=None) -> [n, m]` with `k.diag(x) -> [n]`, and their operators."""

from ntkit.kernels.base import AbstractKernel, AbstractLagKernel
from ntkit.kernels.gram import gram
from ntkit.kernels.infinite import (
    InfiniteKernel,
    PairState,
    catalogue,
    duals,
    nngp,
    ntk,
    register_activation,
    rules,
)

__all__ = [
    "AbstractKernel",
    "AbstractLagKernel",
    "InfiniteKernel",
    "PairState",
    "catalogue",
    "duals",
    "gram",
    "nngp",
    "ntk",
    "register_activation",
    "rules",
]
