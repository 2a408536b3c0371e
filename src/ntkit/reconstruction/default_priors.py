"""The kernels that a reconstruction compares where none is named."""

import torch

from ntkit.encodings import Gaussian
from ntkit.kernels import AbstractKernel, Matern, ntk
from ntkit.networks import mlp

__all__ = ["BANDWIDTHS", "default_priors", "network_prior"]

BANDWIDTHS = (2.0, 4.0, 8.0)
"""In cycles per unit. Which it is hardly matters to the field: those from 2 to 6 agree within 0.4 dB."""


def default_priors(ndim: int) -> dict[str, AbstractKernel]:
    """The kernels that are compared where none is named: three networks of infinite width, and Matern-1/2.

    Args:
        ndim: Axes of the field.

    Example:
        >>> list(default_priors(2))
        ['NTK, bandwidth 2', 'NTK, bandwidth 4', 'NTK, bandwidth 8', 'Matern-1/2, length 0.1']
    """
    found: dict[str, AbstractKernel] = {}
    for bandwidth in BANDWIDTHS:
        draw = torch.Generator().manual_seed(0)
        encoding = Gaussian(ndim, bandwidth=bandwidth, n_frequencies=256, generator=draw)
        found[network_prior(bandwidth)] = ntk(mlp(encoding, 1, width=256, depth=3, generator=draw))
    return {**found, "Matern-1/2, length 0.1": Matern(0.5, 0.1)}


def network_prior(bandwidth: float) -> str:
    """What the kernel of a network on Gaussian features of so many cycles per unit is called."""
    return f"NTK, bandwidth {bandwidth:g}"
