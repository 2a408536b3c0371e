"""Rules from nodes of the autograd graph to uses of parameters."""

from ntkit.kernels.empirical.rules import convolution, elementwise, embedding, linear, norms
from ntkit.kernels.empirical.rules.registry import RULES, VIEWS, Operand

__all__ = [
    "RULES",
    "VIEWS",
    "Operand",
    "convolution",
    "elementwise",
    "embedding",
    "linear",
    "norms",
]
