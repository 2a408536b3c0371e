"""WIRE at full size and as a scale model of a piece of the signal."""

import torch
from torch import Tensor, nn

from ntkit.networks.first_layer import named
from ntkit.networks.wire import ComplexLinear, wire

__all__ = ["wire_at"]

_WAVELET = 6.0
"""Inverse width of the windows, and frequency of the hidden layers. On pieces of a photo and of two sounds, wavelets
of 20 and 10 (as published for images of many steps) miss held-out samples by 2 to 15 dB more."""

_POINTS = 256
"""That the root mean squares are measured on."""


def wire_at(
    in_dim: int,
    out_dim: int,
    *,
    bandwidth: float,
    width: int,
    depth: int,
    factor: float = 1.0,
    crop: float = 1.0,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`wire`, or a model of it that is narrower by `factor` and sees a piece shorter by `crop`.

    Wavelets of the same size on the signal are longer on the piece, by `crop`: frequency and inverse width
    of the first layer are divided by it. As many of them must reach a point. In the full network, of every
    `crop` wavelets one has its centre near a given piece; so that all of the model's do, its first biases
    are divided by `crop`, and what the next layers hear no longer is as faint. Their weights are scaled,
    layer by layer, to the root mean squares that the full network's units have.

    Args:
        in_dim: Number of coordinates.
        out_dim: Number of outputs.
        bandwidth: Of the full network.
        width: Of the full network.
        depth: Number of layers of wavelets.
        factor: By which the model is narrower.
        crop: By which its piece is shorter along each axis.
        generator: Source of the initial weights.
    """

    def sized(width: int, crop: float) -> nn.Sequential:
        return wire(
            in_dim,
            out_dim,
            bandwidth=bandwidth / crop,
            scale=_WAVELET / crop,
            hidden_omega=_WAVELET,
            hidden_scale=_WAVELET,
            width=width,
            depth=depth,
            generator=generator,
        )

    full = sized(width, 1.0)
    if factor == 1 and crop == 1:
        return full
    model = sized(max(1, round(width / factor)), crop)
    points = torch.quasirandom.SobolEngine(in_dim, scramble=True, seed=0).draw(_POINTS)
    first = model[1]
    assert isinstance(first, nn.Linear)
    with torch.no_grad():
        first.bias.div_(crop)
        _match(model, points, _sizes(full, points))
    return named(model, bandwidth / crop)


def _sizes(network: nn.Sequential, x: Tensor) -> list[Tensor]:
    """Root mean squares of the units after each layer with weights, behind the first."""
    found = []
    for layer in network:
        x = layer(x)
        if isinstance(layer, ComplexLinear):
            found.append(x.square().mean().sqrt())
    return found


def _match(network: nn.Sequential, x: Tensor, sizes: list[Tensor]) -> None:
    """Scale the weights of complex layers so that their units have these root mean squares."""
    wanted = iter(sizes)
    for layer in network:
        if isinstance(layer, ComplexLinear):
            weight = layer.parts.weight
            alone = (layer(x) - layer.bias).square().mean()
            target = next(wanted).square() - layer.bias.square().mean()
            weight.mul_((target.clamp_min(0) / alone.clamp_min(1e-30)).sqrt())
        x = layer(x)
