"""ntkit: neural tangent kernels and Fourier-feature positional encodings in PyTorch."""

from ntkit import dynamics, encodings, kernels, networks, operators, solvers, tasks, tuning
from ntkit.dynamics import GradientFlow, training_time
from ntkit.grids import Grid
from ntkit.kernels import gram, nngp, ntk
from ntkit.networks import LinearModel
from ntkit.tuning import tune

__all__ = [
    "GradientFlow",
    "Grid",
    "LinearModel",
    "dynamics",
    "encodings",
    "gram",
    "kernels",
    "networks",
    "nngp",
    "ntk",
    "operators",
    "solvers",
    "tasks",
    "training_time",
    "tune",
    "tuning",
]
