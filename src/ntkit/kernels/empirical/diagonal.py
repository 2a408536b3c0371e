"""The diagonal by the structured method: each sample with itself."""

import torch
from torch import Tensor

from ntkit.kernels.empirical.backward import Gradient
from ntkit.kernels.empirical.cancellation import loses_digits, pair_squares, part_squares
from ntkit.kernels.empirical.contraction import contracted_diagonal
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.parameter_groups import Part
from ntkit.kernels.empirical.products import outer_sums

__all__ = ["diagonal"]


def diagonal(job: NetworkRuns) -> Tensor:
    """`[n, o, o]`, or the mean over outputs `[n]`, over the parameters."""
    n, o = job.counts[0], len(job.outputs)
    shape = (n, o, o) if job.full else (n,)
    total = torch.zeros(shape, dtype=torch.float64, device=job.device)
    for chosen, parts in job.passes():
        found = job.gradients(0, chosen, parts, summed=not job.full)
        with torch.no_grad():
            for part, g in zip(parts, found, strict=True):
                total += _of_part(job, part, g)
    value = (total if job.full else total / o).to(job.accumulation)
    if not job.left_out:
        return value
    return value + contracted_diagonal(
        job.target, job.batches[0], job.outputs, job.left_out, job.memory, full=job.full
    )


def _of_part(job: NetworkRuns, part: Part, g: list[Gradient]) -> Tensor:
    if part.is_outer:
        return _outer_diagonal(*part.factors(job.runs[0], g), full=job.full)
    blocks = [j.double() for j in part.explicit(job.runs[0], g)]
    if job.full:
        return torch.stack([torch.einsum("onp,qnp->noq", j, j) for j in blocks]).sum(0)
    return torch.stack([j.pow(2).sum((0, 2)) for j in blocks]).sum(0)


def _outer_diagonal(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
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
    if paired and t > 1:
        squares = [each.diagonal(dim1=1, dim2=2) for each in found] if full else found
        if loses_digits(torch.stack(squares), part_squares(a.to(kind), g.to(kind))):
            found = [
                _by_jacobian(left, right, full=full).double()
                for left, right in zip(a.to(kind), g.to(kind), strict=True)
            ]
    return torch.stack(found).sum(0)


def _by_pairs(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
    if not full:
        return pair_squares(a, g)
    inputs = a @ a.mT  # [n, t, s]
    rows = [[(inputs * (p @ q.mT)).sum((1, 2)) for q in g] for p in g]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _by_jacobian(a: Tensor, g: Tensor, *, full: bool) -> Tensor:
    j = outer_sums(g.mT, a).flatten(2)  # [o, n, c k]
    return torch.einsum("onp,qnp->noq", j, j) if full else j.pow(2).sum((0, 2))
