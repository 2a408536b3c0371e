"""ntkit: neural tangent kernels and Fourier-feature positional encodings in PyTorch."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ntkit import (
    dynamics,
    encodings,
    estimators,
    figures,
    kernels,
    measurements,
    networks,
    operators,
    reconstruction,
    scale,
    solvers,
    spectra,
    tasks,
    tuning,
)
from ntkit.dynamics import (
    Ensemble,
    GaussianProcess,
    GradientDescent,
    GradientFlow,
    HeavyBallFlow,
    LazyProbe,
    LossFlow,
    Momentum,
    Nesterov,
    compare,
    linearize,
    taylor,
    training_time,
)
from ntkit.grids import Grid
from ntkit.kernels import empirical_ntk, gram, nngp, ntk
from ntkit.networks import LinearModel
from ntkit.reconstruction import reconstruct
from ntkit.spectra import spectrum
from ntkit.tuning import fit, tune

if TYPE_CHECKING:
    from ntkit.experiments.load import load

    __version__: str

__all__ = [
    "Ensemble",
    "GaussianProcess",
    "GradientDescent",
    "GradientFlow",
    "Grid",
    "HeavyBallFlow",
    "LazyProbe",
    "LinearModel",
    "LossFlow",
    "Momentum",
    "Nesterov",
    "compare",
    "dynamics",
    "empirical_ntk",
    "encodings",
    "estimators",
    "figures",
    "fit",
    "gram",
    "kernels",
    "linearize",
    "load",
    "measurements",
    "networks",
    "nngp",
    "ntk",
    "operators",
    "reconstruct",
    "reconstruction",
    "scale",
    "solvers",
    "spectra",
    "spectrum",
    "tasks",
    "taylor",
    "training_time",
    "tune",
    "tuning",
]


def __getattr__(name: str) -> Any:
    """`ntkit.__version__`, of the installed package, and `ntkit.load`, which needs the extra `app`: when they are asked for.

    Raises:
        AttributeError: Any other name.
    """
    if name == "__version__":
        return version("ntkit")
    if name != "load":
        raise AttributeError(f"module 'ntkit' has no attribute {name!r}")
    from ntkit.experiments.load import load

    return load
