"""Rules of the infinite-width limit, one a layer type; importing this files them."""

from ntkit.kernels.infinite.rules import linear, relu
from ntkit.kernels.infinite.rules.registry import rules

__all__ = ["linear", "relu", "rules"]
