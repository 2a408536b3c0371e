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
from ntkit.networks.families import FAMILIES, width_for
from ntkit.networks.finer import VariableSine, finer
from ntkit.networks.hash_mlp import hash_mlp
from ntkit.networks.linear import Linear
from ntkit.networks.linear_model import LinearModel
from ntkit.networks.mlp import mlp
from ntkit.networks.nerf import SkipMLP, ViewMLP, nerf
from ntkit.networks.residual import ResidualBlock, residual
from ntkit.networks.siren import siren, siren_bandwidth, siren_omega
from ntkit.networks.symmetrise import Symmetrised, symmetrise
from ntkit.networks.wire import ComplexGabor, ComplexLinear, wire

__all__ = [
    "FAMILIES",
    "Abs",
    "Aggregate",
    "ComplexGabor",
    "ComplexLinear",
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
    "ResidualBlock",
    "SelfAttention",
    "Sign",
    "Sine",
    "SkipMLP",
    "Symmetrised",
    "VariableSine",
    "ViewMLP",
    "finer",
    "hash_mlp",
    "mlp",
    "nerf",
    "residual",
    "siren",
    "siren_bandwidth",
    "siren_omega",
    "symmetrise",
    "width_for",
    "wire",
]
