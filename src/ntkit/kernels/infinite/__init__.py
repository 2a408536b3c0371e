"""Kernels of infinitely wide networks: pair statistics, one rule a layer type."""

from ntkit.kernels.infinite.activations import duals, register_activation
from ntkit.kernels.infinite.catalogue import catalogue
from ntkit.kernels.infinite.kernel import InfiniteKernel
from ntkit.kernels.infinite.limits import nngp, ntk
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState

__all__ = [
    "InfiniteKernel",
    "PairState",
    "catalogue",
    "duals",
    "nngp",
    "ntk",
    "register_activation",
    "rules",
]
