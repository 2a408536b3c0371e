"""SIREN: a network of sines, whose first layer is its encoding."""

from math import sqrt

import torch
from torch import nn

from ntkit._core.checks import entries, number, positive, positive_int
from ntkit.encodings.centred import Centred
from ntkit.networks.activations import Sine
from ntkit.networks.draws import uniform_linear
from ntkit.networks.first_layer import cycles, first_frequency, named, uniform_deviation

__all__ = ["siren", "siren_bandwidth", "siren_omega"]


def siren(
    in_dim: int,
    out_dim: int,
    *,
    bandwidth: float | None = None,
    omega_0: float | None = None,
    hidden_omega: float = 30.0,
    width: int = 256,
    depth: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`depth` layers `sin(omega (W x + b))` and a linear read-out, on points in [0, 1)^d.

    The points are brought to [-1, 1) first, as published. First weights are `U(-1/d, 1/d)`, the others
    (the read-out's too) `U(-c, c)` with `c = sqrt(6 / width) / hidden_omega`, and biases PyTorch's
    default, `U(-fan_in^-1/2, fan_in^-1/2)`. Units `h` of a layer go into phases of variance
    `v = 2 E[h^2] + hidden_omega^2 / (3 width)` (the second part is the biases'), and these into sines of mean
    square `(1 - exp(-2 v)) / 2`: near 1/2, as of the arcsine law of the paper, in every layer.

    Args:
        in_dim: Number of coordinates `d`.
        out_dim: Number of outputs.
        bandwidth: Standard deviation of the first layer's frequencies along each axis, cycles per
            unit of [0, 1)^d: `omega_0 / (pi d sqrt(3))`.
        omega_0: The first layer's frequency in its place, as published, for points in [-1, 1];
            30 if neither is given. Stated for [0, 1) it is twice as large: `siren_bandwidth` and
            `siren_omega` convert.
        hidden_omega: Frequency of the other layers. It changes how fast their weights learn, and of the
            function at the start only what the biases add.
        width: Units of each hidden layer.
        depth: Number of layers of sines.
        generator: Source of the initial weights.

    Returns:
        An `nn.Sequential` with the attribute `bandwidth`.

    Source: Sitzmann et al. 2020 (arXiv:2006.09661), section 3.2 and supplement, section 1.

    Example:
        >>> network = siren(2, 3, omega_0=30.0, width=16, depth=2)
        >>> round(network.bandwidth, 2)
        2.76
        >>> network(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """
    d, width = positive_int("in_dim", in_dim), positive_int("width", width)
    depth, outputs = positive_int("depth", depth), positive_int("out_dim", out_dim)
    omega, found = first_frequency(bandwidth, omega_0, siren_bandwidth(1.0, d))
    hidden = positive("hidden_omega", hidden_omega)
    layers: list[nn.Module] = [Centred(d)]
    layers += [uniform_linear(d, width, generator, bound=1 / d), Sine(omega)]
    bound = sqrt(6 / width) / hidden
    for _ in range(depth - 1):
        layers += [uniform_linear(width, width, generator, bound=bound), Sine(hidden)]
    layers.append(uniform_linear(width, outputs, generator, bound=bound))
    return named(nn.Sequential(*layers), found)


def siren_bandwidth(
    omega_0: float, in_dim: int, domain: tuple[float, float] = (-1.0, 1.0)
) -> float:
    """The bandwidth on [0, 1)^d of SIREN's `omega_0`, cycles per unit: `omega_0 side / (2 pi d sqrt(3))`.

    Args:
        omega_0: Frequency of the first layer, radians.
        in_dim: Number of coordinates `d`.
        domain: Where the coordinates lie that `omega_0` is stated for: (-1, 1) as published, or (0, 1).

    Example:
        >>> round(siren_bandwidth(30.0, 2), 3), round(siren_bandwidth(60.0, 2, (0, 1)), 3)
        (2.757, 2.757)
    """
    return positive("omega_0", omega_0) * _per_omega(in_dim, domain)


def siren_omega(bandwidth: float, in_dim: int, domain: tuple[float, float] = (-1.0, 1.0)) -> float:
    """The `omega_0` that has a bandwidth: `siren_bandwidth` read backwards.

    Args:
        bandwidth: Cycles per unit of [0, 1)^d.
        in_dim: Number of coordinates `d`.
        domain: Where the coordinates lie that `omega_0` is stated for.

    Example:
        >>> round(siren_omega(siren_bandwidth(30.0, 3), 3), 6)
        30.0
    """
    return positive("bandwidth", bandwidth) / _per_omega(in_dim, domain)


def _per_omega(in_dim: int, domain: tuple[float, float]) -> float:
    ends = tuple(number("domain", end) for end in entries("domain", domain))
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(
            f"`domain={domain!r}` must be two numbers, the lower first. Pass (-1, 1), or (0, 1)."
        )
    d = positive_int("in_dim", in_dim)
    return cycles(uniform_deviation(1 / d)) * (ends[1] - ends[0]) / 2
