"""Line integrals through a grid by linear interpolation: Joseph's method, in any dimension."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.measurements.sparse_matrix import Entries

__all__ = ["joseph", "joseph_means"]


def joseph(
    origin: Float[Tensor, "n d"], direction: Float[Tensor, "n d"], shape: Sequence[int]
) -> Entries:
    """Weights of a grid's cells in the integrals along straight lines.

    A line is cut by the planes of points across its main axis, the one along which it runs fastest; in each plane
    the field is interpolated linearly from the `2^(d-1)` points around the cut, zero outside of the grid, and the sum
    is multiplied by the distance of the cuts along the line. The error is of second order where the field is smooth.

    Args:
        origin: A point of each line, in cells: cell `i` has its centre at `i`.
        direction: Its direction, in cells for each unit of length.
        shape: Of the grid.

    Source: Joseph 1982, IEEE Transactions on Medical Imaging 1(3).

    Example:
        >>> row = joseph(torch.tensor([[1.25, 0.0]]), torch.tensor([[0.0, 4.0]]), (3, 2))
        >>> row.columns.tolist(), row.values.tolist()
        ([2, 4, 3, 5], [0.1875, 0.0625, 0.1875, 0.0625])
    """
    d, device = len(shape), origin.device
    axes = torch.arange(d, device=device)
    main = direction.abs().argmax(1, keepdim=True)
    order = (main + axes) % d  # of each line: its main axis, then the others
    start, speed = origin.gather(1, order), direction.gather(1, order)
    sizes = torch.tensor(shape, device=device, dtype=torch.int32)[order]
    strides = torch.tensor([prod(shape[k + 1 :]) for k in range(d)], device=device).int()[order]
    plane = torch.arange(max(shape), device=device, dtype=torch.int32)
    step = 1 / speed[:, :1].abs()
    weight = torch.where(plane < sizes[:, :1], step, 0.0)[..., None]
    cell = (plane * strides[:, :1])[..., None]
    slopes = speed / speed[:, :1]
    for axis in range(1, d):
        along = start[:, axis, None] + (plane - start[:, :1]) * slopes[:, axis, None]
        low = along.floor()
        part = along - low
        place = torch.stack([low, low + 1], -1).clamp(-2, 2**30).int()
        share = torch.stack([1 - part, part], -1)
        share = torch.where((place >= 0) & (place < sizes[:, axis, None, None]), share, 0.0)
        weight = (weight[..., None] * share[..., None, :]).flatten(-2)
        cell = (cell[..., None] + (place * strides[:, axis, None, None])[..., None, :]).flatten(-2)
    kept = weight > 0
    return Entries(kept.flatten(1).sum(1), cell[kept], weight[kept])


def joseph_means(
    origin: Float[Tensor, "n k d"], direction: Float[Tensor, "n k d"], shape: Sequence[int]
) -> Entries:
    """The means of `k` lines each, every cell once a row: what a detector of some width sees."""
    n, k, d = origin.shape
    found = joseph(origin.reshape(n * k, d), direction.reshape(n * k, d), shape)
    if k == 1:
        return found
    row = torch.arange(n, device=origin.device).repeat_interleave(k)
    row = row.repeat_interleave(found.counts)
    key, at = torch.unique(row * prod(shape) + found.columns, return_inverse=True)
    values = found.values.new_zeros(len(key)).index_add_(0, at, found.values / k)
    counts = torch.bincount(key // prod(shape), minlength=n)
    return Entries(counts, (key % prod(shape)).int(), values)
