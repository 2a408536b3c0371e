"""Encodings: modules from coordinates to features, one class a file."""

from ntkit.encodings.base import AbstractEncoding, AbstractFourier
from ntkit.encodings.basic import Basic
from ntkit.encodings.blurred import Blurred
from ntkit.encodings.frustum import conical_frustum
from ntkit.encodings.gaussian import Gaussian
from ntkit.encodings.identity import Identity
from ntkit.encodings.integrated import Integrated
from ntkit.encodings.nerf import NeRF
from ntkit.encodings.one_blob import OneBlob
from ntkit.encodings.positional import Positional
from ntkit.encodings.rotary import Rotary
from ntkit.encodings.sinusoidal import Sinusoidal
from ntkit.encodings.triangle_wave import TriangleWave

__all__ = [
    "AbstractEncoding",
    "AbstractFourier",
    "Basic",
    "Blurred",
    "Gaussian",
    "Identity",
    "Integrated",
    "NeRF",
    "OneBlob",
    "Positional",
    "Rotary",
    "Sinusoidal",
    "TriangleWave",
    "conical_frustum",
]
