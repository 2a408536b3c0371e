"""Kernels: callables `k(x1, x2=None) -> [n, m]` with `k.diag(x) -> [n]`, and their operators."""

from ntkit.kernels.base import AbstractKernel, AbstractLagKernel
from ntkit.kernels.empirical import Auto, Contraction, EmpiricalKernel, Structured, empirical_ntk
from ntkit.kernels.gram import gram
from ntkit.kernels.infinite import (
    InfiniteKernel,
    PairState,
    duals,
    nngp,
    ntk,
    register_activation,
    rules,
)

__all__ = [
    "AbstractKernel",
    "AbstractLagKernel",
    "Auto",
    "Contraction",
    "EmpiricalKernel",
    "InfiniteKernel",
    "PairState",
    "Structured",
    "duals",
    "empirical_ntk",
    "gram",
    "nngp",
    "ntk",
    "register_activation",
    "rules",
]
