"""Kernels of infinitely wide networks: pair statistics, one rule a layer type."""

from ntkit.kernels.infinite.activations import duals, register_activation
from ntkit.kernels.infinite.front.catalogue import catalogue
from ntkit.kernels.infinite.kernel import InfiniteKernel
from ntkit.kernels.infinite.limits import nngp, ntk
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.rules import Norm, rules

__all__ = [
    "InfiniteKernel",
    "Norm",
    "PairState",
    "catalogue",
    "duals",
    "nngp",
    "ntk",
    "register_activation",
    "rules",
]
