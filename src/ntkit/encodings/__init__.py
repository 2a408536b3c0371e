"""Encodings: modules from coordinates to features, one class a file."""

from ntkit.encodings.base import AbstractEncoding, AbstractFourier
from ntkit.encodings.basic import Basic
from ntkit.encodings.gaussian import Gaussian
from ntkit.encodings.identity import Identity
from ntkit.encodings.nerf import NeRF
from ntkit.encodings.positional import Positional

__all__ = [
    "AbstractEncoding",
    "AbstractFourier",
    "Basic",
    "Gaussian",
    "Identity",
    "NeRF",
    "Positional",
]
