"""Encodings: modules from coordinates to features, one class a file."""

from ntkit.encodings.base import AbstractEncoding, AbstractFourier
from ntkit.encodings.basic import Basic
from ntkit.encodings.blurred import Blurred
from ntkit.encodings.centred import Centred
from ntkit.encodings.coarse_to_fine import CoarseToFine
from ntkit.encodings.composite import Composite
from ntkit.encodings.frustum import conical_frustum
from ntkit.encodings.gaussian import Gaussian
from ntkit.encodings.hash_grid import HashGrid
from ntkit.encodings.identity import Identity
from ntkit.encodings.integrated import Integrated
from ntkit.encodings.laplace import Laplace
from ntkit.encodings.learned import LearnedFourier
from ntkit.encodings.log_uniform import LogUniform
from ntkit.encodings.multi_bandwidth import MultiBandwidth
from ntkit.encodings.nerf import NeRF
from ntkit.encodings.one_blob import OneBlob
from ntkit.encodings.positional import Positional
from ntkit.encodings.rotary import Rotary
from ntkit.encodings.sinusoidal import Sinusoidal
from ntkit.encodings.spherical_harmonics import SphericalHarmonics
from ntkit.encodings.tiny_cuda_nn import from_config, to_config
from ntkit.encodings.triangle_wave import TriangleWave
from ntkit.encodings.uniform import Uniform

__all__ = [
    "AbstractEncoding",
    "AbstractFourier",
    "Basic",
    "Blurred",
    "Centred",
    "CoarseToFine",
    "Composite",
    "Gaussian",
    "HashGrid",
    "Identity",
    "Integrated",
    "Laplace",
    "LearnedFourier",
    "LogUniform",
    "MultiBandwidth",
    "NeRF",
    "OneBlob",
    "Positional",
    "Rotary",
    "Sinusoidal",
    "SphericalHarmonics",
    "TriangleWave",
    "Uniform",
    "conical_frustum",
    "from_config",
    "to_config",
]
