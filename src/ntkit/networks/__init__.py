"""Networks: layers in the NTK parametrisation, coordinate networks, linear models, symmetrised starts."""

from ntkit.networks.activations import (
    Abs,
    Elementwise,
    Erf,
    Exponential,
    Gabor,
    Gaussian,
    Hermite,
    NormalisedExponential,
    Polynomial,
    RectifiedMonomial,
    Sign,
    Sine,
)
from ntkit.networks.aggregate import Aggregate
from ntkit.networks.attention import SelfAttention
from ntkit.networks.convolution import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    LocalConv1d,
    LocalConv2d,
    LocalConv3d,
)
from ntkit.networks.linear import Linear
from ntkit.networks.linear_model import LinearModel
from ntkit.networks.mlp import mlp
from ntkit.networks.symmetrise import Symmetrised, symmetrise

__all__ = [
    "Abs",
    "Aggregate",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Elementwise",
    "Erf",
    "Exponential",
    "Gabor",
    "Gaussian",
    "Hermite",
    "Linear",
    "LinearModel",
    "LocalConv1d",
    "LocalConv2d",
    "LocalConv3d",
    "NormalisedExponential",
    "Polynomial",
    "RectifiedMonomial",
    "SelfAttention",
    "Sign",
    "Sine",
    "Symmetrised",
    "mlp",
    "symmetrise",
]
