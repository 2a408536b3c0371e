"""ntkit: neural tangent kernels and Fourier-feature positional encodings in PyTorch."""

from ntkit import encodings, kernels, networks, operators
from ntkit.grids import Grid
from ntkit.kernels import gram, nngp, ntk

__all__ = ["Grid", "encodings", "gram", "kernels", "networks", "nngp", "ntk", "operators"]
