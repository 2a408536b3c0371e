"""Sines of first layers with few inputs and uniform weights."""

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ntkit.kernels.infinite.activations.sinusoid import Sinusoid
from ntkit.kernels.infinite.program.op import AbstractUnbound
from ntkit.kernels.infinite.program.ops.points import UniformSine
from ntkit.kernels.infinite.rules.variances import Variances, layer_variances

__all__ = ["WaveCall"]


@dataclass(frozen=True)
class WaveCall(AbstractUnbound):
    """Sines of a layer with few inputs and uniform weights.

    Attributes:
        features: The number of the points' features.
        wave: The sine.
        layer: The layer before.
        variances: Where those of its weights come from.
    """

    features: int
    wave: Sinusoid
    layer: nn.Linear
    variances: Variances

    of_products: ClassVar[bool] = False

    def bind(self) -> UniformSine:
        """By the bounds of the weights and biases: the variance of `U(-a, a)` is `a^2 / 3`."""
        v, u = layer_variances(self.layer, self.variances)
        frequency = self.wave.frequency
        return UniformSine(
            self.name,
            self.inputs,
            self.units,
            self.features,
            frequency,
            self.wave.amplitude,
            frequency * (3 * v) ** 0.5,
            frequency * (3 * u) ** 0.5,
            is_homogeneous=False,
        )
