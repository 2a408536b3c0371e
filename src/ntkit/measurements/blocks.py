"""Blocks of a grid: samples near each other, held out together."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Int
from torch import Tensor

from ntkit.measurements.base import numbered

__all__ = ["blocks_of", "n_blocks"]

_BLOCKS = 64  # in all: three folds of about twenty, 8 x 8 of a picture


def n_blocks(shape: Sequence[int]) -> tuple[int, ...]:
    """How many blocks each axis of a grid is cut into: about 64 in all, of nearly equal sides.

    No side is cut into more pieces than it has points.

    Example:
        >>> n_blocks((128, 128)), n_blocks((1000,)), n_blocks((128, 4))
        ((8, 8), (64,), (16, 4))
    """
    left, axes, found = float(_BLOCKS), sorted(range(len(shape)), key=lambda k: shape[k]), {}
    for done, axis in enumerate(axes):  # the shortest first: what it cannot take, the others do
        found[axis] = max(1, min(shape[axis], round(left ** (1 / (len(axes) - done)))))
        left /= found[axis]
    return tuple(found[axis] for axis in range(len(shape)))


def blocks_of(shape: Sequence[int], index: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """For each point the number of its block, from 0 without gaps: blocks that hold no point are left out.

    Args:
        shape: Of the grid.
        index: `[n]`, places in the flattened grid.
    """
    counts = n_blocks(shape)
    label = torch.zeros_like(index)
    for axis, (size, count) in enumerate(zip(shape, counts, strict=True)):
        place = index // prod(shape[axis + 1 :]) % size
        label = label * count + place * count // size
    return numbered(label)
