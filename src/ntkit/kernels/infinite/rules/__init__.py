"""What layers do in the infinite-width limit, or why they have none; importing this files it."""

from ntkit.kernels.infinite.rules import convolution, linear, normalisation, pooling, refusals
from ntkit.kernels.infinite.rules.kinds import Norm
from ntkit.kernels.infinite.rules.registry import rules

__all__ = ["Norm", "convolution", "linear", "normalisation", "pooling", "refusals", "rules"]
