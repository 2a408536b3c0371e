"""ntkit: neural tangent kernels and Fourier-feature positional encodings in PyTorch."""

from ntkit import dynamics, encodings, kernels, networks, operators, solvers, tasks, tuning
from ntkit.dynamics import (
    GradientDescent,
    GradientFlow,
    HeavyBallFlow,
    LazyProbe,
    Momentum,
    Nesterov,
    linearize,
    taylor,
    training_time,
)
from ntkit.grids import Grid
from ntkit.kernels import empirical_ntk, gram, nngp, ntk
from ntkit.networks import LinearModel
from ntkit.tuning import tune

__all__ = [
    "GradientDescent",
    "GradientFlow",
    "Grid",
    "HeavyBallFlow",
    "LazyProbe",
    "LinearModel",
    "Momentum",
    "Nesterov",
    "dynamics",
    "empirical_ntk",
    "encodings",
    "gram",
    "kernels",
    "linearize",
    "networks",
    "nngp",
    "ntk",
    "operators",
    "solvers",
    "tasks",
    "taylor",
    "training_time",
    "tune",
    "tuning",
]
