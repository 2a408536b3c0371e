"""The diagonal of sums of outer products, sample by sample."""

import torch
from torch import Tensor

from ntkit.kernels.empirical.products import outer_sums

__all__ = ["outer_diagonal"]


def outer_diagonal(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
    """`|J|^2` of `J[o, n] = sum_t g[o, n, t] a[n, t]^T`, `[n, o, o]` or summed over outputs `[n]`.

    Through position pairs or through the Jacobian of the layer, whichever multiplies less.

    Args:
        a: `[groups, n, t, k]`.
        g: `[groups, o, n, t, c]`.
        full: Whether all pairs of outputs are kept.
    """
    kind = torch.promote_types(a.dtype, torch.float32)
    o, t, k, c = g.shape[1], a.shape[2], a.shape[3], g.shape[4]
    paired = t * t * (k + (o * o if full else o) * c) <= o * t * k * c
    found = []
    for left, right in zip(a.to(kind), g.to(kind), strict=True):
        one = (_by_pairs if paired else _by_jacobian)(left, right, full=full)
        found.append(one.double())
    return torch.stack(found).sum(0)


def _by_pairs(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
    inputs = a @ a.mT  # [n, t, s]
    if not full:
        columns = g.permute(1, 2, 0, 3).flatten(2)
        return (inputs * (columns @ columns.mT)).sum((1, 2))
    rows = [[(inputs * (p @ q.mT)).sum((1, 2)) for q in g] for p in g]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _by_jacobian(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
    j = outer_sums(g.mT, a).flatten(2)  # [o, n, c k]
    return torch.einsum("onp,qnp->noq", j, j) if full else j.pow(2).sum((0, 2))
