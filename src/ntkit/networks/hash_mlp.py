"""A multi-resolution hash grid with a network on top, sized by its finest resolution."""

from math import ceil, log

import torch
from torch import nn

from ntkit._core.checks import positive, positive_int
from ntkit.encodings.hash_grid import HashGrid
from ntkit.networks.first_layer import named
from ntkit.networks.mlp import mlp

__all__ = ["hash_mlp"]

_GROWTH = 1.5
"""Resolution of a level over the one before, at most as many levels allow."""

_MOST_LEVELS = 16
"""As many as Mueller et al. 2022 take (Instant-NGP, Table 1)."""

_HIGHEST = 2.0**28
"""Bandwidth: a finer grid would have more vertices along an axis than hashes keep apart."""


def hash_mlp(
    in_dim: int,
    out_dim: int,
    *,
    bandwidth: float,
    coarsest: float = 16.0,
    log2_table: int = 14,
    width: int = 64,
    depth: int = 2,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`mlp` on a `HashGrid` whose finest grid has two cells a cycle of `bandwidth`.

    Args:
        in_dim: Number of coordinates, 1 to 4.
        out_dim: Number of outputs.
        bandwidth: The highest frequency that the finest grid can hold, cycles per unit: half of its
            cells a unit. No standard deviation: a grid has all frequencies up to it.
        coarsest: Cells a unit of the coarsest grid; at most those of the finest.
        log2_table: Logarithm of the largest number of entries of a grid.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        generator: Source of the initial weights.

    Returns:
        An `nn.Sequential` with the attribute `bandwidth`.

    Raises:
        ValueError: `bandwidth` is above 2^28.

    Source: Müller et al. 2022 (arXiv:2201.05989), section 3 and its table 1: 16 grids, each finer by a
    factor between 1.26 and 2; here at most 16, finer by 1.5 where that is enough.

    Example:
        >>> network = hash_mlp(2, 3, bandwidth=64.0, log2_table=10)
        >>> network[0].n_vertices[-1], network[0].n_levels
        (130, 7)
    """
    finest = 2 * positive("bandwidth", bandwidth)
    if finest > 2 * _HIGHEST:
        raise ValueError(
            f"`bandwidth={bandwidth:g}` needs a grid of {finest:.3g} cells a unit, and a hash grid has 2^29 at most. "
            "Take a smaller one."
        )
    base = max(1, round(min(positive("coarsest", coarsest), finest)))
    ratio = max(1.0, (finest + 1) / base)  # cells a unit are the resolution less one
    levels = min(_MOST_LEVELS, 1 + ceil(log(ratio) / log(_GROWTH) - 1e-9))
    growth = ratio ** (1 / (levels - 1)) if levels > 1 else 1.0
    encoding = HashGrid(
        in_dim,
        n_levels=levels,
        log2_hashmap_size=positive_int("log2_table", log2_table),
        base_resolution=base,
        per_level_scale=growth,
        generator=generator,
    )
    network = mlp(encoding, out_dim, width=width, depth=depth, generator=generator)
    return named(network, finest / 2)
