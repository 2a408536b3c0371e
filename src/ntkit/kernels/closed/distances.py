"""Distances of points, without cancellation where they are near."""

import torch
from torch import Tensor

__all__ = ["manhattan_distances", "squared_distances"]

_NEAR = 1e-2
"""Of `|u|^2 + |v|^2`: a squared distance below this share is taken from the difference of the points,
and one above it has lost two digits of sixteen."""

_AT_ONCE = 2**22
"""Entries of the differences that are held at a time."""


def squared_distances(x1: Tensor, x2: Tensor | None, scale: Tensor) -> Tensor:
    """`sum_i ((x1 - x2)_i / scale_i)^2` of float64 rows, `[n, m]`.

    One matrix product, and the near pairs anew from their differences; those keep every digit that
    the points have, wherever the origin is. Differentiable any number of times.

    Args:
        x1: `[n, d]`.
        x2: `[m, d]`; `x1` if None.
        scale: 0-d, or `[d]`.

    Cost: `n m d` multiply-adds, and `d` more operations for each near pair.
    """
    others = x1 if x2 is None else x2
    centre = x1.detach().mean(0)
    u, v = (x1 - centre) / scale, (others - centre) / scale
    square1, square2 = (u**2).sum(1)[:, None], (v**2).sum(1)
    total = square1 + square2
    table = torch.addmm(total, u, v.T, alpha=-2).clamp_min(
        0
    )  # one pass over the table in place of three
    i, j = (table.detach() <= _NEAR * total.detach()).nonzero(as_tuple=True)
    if not len(i):
        return table
    step = max(1, _AT_ONCE // x1.shape[1])
    near = [
        (((x1[a] - others[b]) / scale) ** 2).sum(1)
        for a, b in zip(i.split(step), j.split(step), strict=True)
    ]
    return table.index_put((i, j), torch.cat(near))


def manhattan_distances(x1: Tensor, x2: Tensor | None, scale: Tensor) -> Tensor:
    """`sum_i |x1 - x2|_i / scale_i` of float64 rows, `[n, m]`, from differences of the points.

    Args:
        x1: `[n, d]`.
        x2: `[m, d]`; `x1` if None.
        scale: 0-d, or `[d]`.

    Cost: `2 n m d` operations; with a scale an axis, `d` passes over the table.
    """
    others = x1 if x2 is None else x2
    if scale.ndim == 0:
        return torch.cdist(x1, others, p=1) / scale
    columns = zip(x1.T, others.T, scale, strict=True)
    return sum(((a[:, None] - b).abs() / s for a, b, s in columns), x1.new_zeros(()))
