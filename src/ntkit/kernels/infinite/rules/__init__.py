"""Rules of the infinite-width limit, one a layer type; importing this files them."""

from ntkit.kernels.infinite.rules import convolution, linear, normalisation
from ntkit.kernels.infinite.rules.refusals import refusals
from ntkit.kernels.infinite.rules.registry import rules

__all__ = ["convolution", "linear", "normalisation", "refusals", "rules"]
