"""Line integrals through a grid by linear interpolation: Joseph's method, in any dimension."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float, Int
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
    ahead, slopes = plane - start[:, :1], speed / speed[:, :1]
    along = [start[:, k, None] + ahead * slopes[:, k, None] for k in range(1, d)]
    inside = plane < sizes[:, :1]
    for axis, place in enumerate(along, 1):  # most are outside of the grid: looked at no further
        inside &= (place > -1) & (place < sizes[:, axis, None])
    line, at = inside.nonzero(as_tuple=True)
    cell = (at.int() * strides[line, 0])[:, None]
    weight = (1 / speed[:, 0].abs())[line, None]
    for axis, place in enumerate(along, 1):
        cell, weight = _corners(
            cell, weight, place[inside], sizes[line, axis, None], strides[line, axis, None]
        )
    kept = weight > 0
    counts = torch.zeros(len(origin), dtype=torch.int64, device=device)
    counts.index_add_(0, line, kept.sum(1))
    return Entries(counts, cell[kept], weight[kept])


def _corners(
    cell: Int[Tensor, "m c"],
    weight: Float[Tensor, "m c"],
    place: Float[Tensor, " m"],
    size: Int[Tensor, "m 1"],
    stride: Int[Tensor, "m 1"],
) -> tuple[Int[Tensor, "m e"], Float[Tensor, "m e"]]:
    """Each corner twice: below and above a place along one more axis; of weight zero outside of the grid."""
    low = place.floor()
    part = place - low
    near = torch.stack([low, low + 1], 1).int()
    share = torch.stack([1 - part, part], 1)
    share = torch.where((near >= 0) & (near < size), share, 0.0)
    return (
        (cell[:, :, None] + (near * stride)[:, None]).flatten(1),
        (weight[:, :, None] * share[:, None]).flatten(1),
    )


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
