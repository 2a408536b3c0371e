"""Products from what each layer takes and what comes back to it, kept in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ntkit.kernels.empirical.backward import Gradient
from ntkit.kernels.empirical.kernel_products import AbstractProducts
from ntkit.kernels.empirical.network_runs import NetworkRuns

__all__ = ["KeptProducts", "kept_bytes"]

_TEMPORARY = 2**27
"""Bytes of what is between the two factors of a product."""


class KeptProducts(AbstractProducts):
    """Two passes over the layers: `U = sum_i v_i g_i a_i^T`, then `g_i^T U a_i`.

    The inputs `a` of each layer and the gradients `g` at its output are found once, by one backward
    pass an output; a product is then two matrix products a layer, a third of what derivatives of the
    network take. Where the layer's Jacobian is smaller than `a` and `g`, that is kept instead.

    Args:
        job: The networks, all of whose parameters have rules.
    """

    def __init__(self, job: NetworkRuns) -> None:
        sides = [
            [
                _OuterFactors(job, k, side) if outer else _PartJacobian(job, k, side)
                for k, outer in kinds
            ]
            for side in range(len(job.runs))
            for kinds in [list(enumerate(_kinds(job)))]
        ]
        for chosen, parts in job.passes():
            for side, factors in enumerate(sides):
                found = job.gradients(side, chosen, parts)
                first = job.outputs.index(chosen[0])
                with torch.no_grad():
                    for part, g in zip(parts, found, strict=True):
                        factors[job.parts.index(part)].keep(g, slice(first, first + len(chosen)))
        self._left, self._right = sides[0], sides[-1]
        between = max((f.between for f in sides[0] + sides[-1]), default=1)
        self.width: int = max(1, _TEMPORARY // max(1, between))
        self.about: str = f"factors of {len(job.parts)} groups of parameters, kept"

    def pulled(self, v: Tensor, outputs: slice) -> list[Tensor]:
        """Layer by layer."""
        return [factors.pulled(v, outputs) for factors in self._right]

    def pushed(self, u: list[Tensor], outputs: slice) -> Tensor:
        """Layer by layer, added up."""
        found = [f.pushed(w, outputs) for f, w in zip(self._left, u, strict=True)]
        return torch.stack(found).sum(0)


def kept_bytes(job: NetworkRuns) -> int:
    """What `KeptProducts(job)` would hold."""
    total = 0
    for k, outer in enumerate(_kinds(job)):
        for side, n in enumerate(job.counts):
            total += n * (_outer_entries(job, k, side) if outer else _block_entries(job, k))
    return total * _item(job)


def _kinds(job: NetworkRuns) -> list[bool]:
    """For each part whether its factors are kept, else its Jacobian."""
    return [
        part.is_outer and _outer_entries(job, k, 0) <= _block_entries(job, k)
        for k, part in enumerate(job.parts)
    ]


def _item(job: NetworkRuns) -> int:
    return torch.finfo(job.accumulation).bits // 8


def _outer_entries(job: NetworkRuns, k: int, side: int) -> int:
    s = job.sizes(job.parts[k], len(job.outputs), side)
    return s.groups * s.t * (s.k + s.outputs * s.c)


def _block_entries(job: NetworkRuns, k: int) -> int:
    return len(job.outputs) * job.numel(job.parts[k])


class _OuterFactors:
    """`a [groups, n, t, k]` and `g [groups, n, o, t c]` of one part."""

    def __init__(self, job: NetworkRuns, k: int, side: int) -> None:
        self._job, self._part, self._run = job, job.parts[k], job.runs[side]
        s = job.sizes(self._part, len(job.outputs), side)
        self._t, self._c = s.t, s.c
        n = job.counts[side]
        self._g = torch.empty(
            s.groups, n, s.outputs, s.t * s.c, dtype=job.accumulation, device=job.device
        )
        self._a = self._g.new_empty(0)
        self.between = 2 * n * s.t * s.c * _item(job)

    def keep(self, g: Sequence[Gradient], place: slice) -> None:
        a, b = self._part.factors(self._run, g)
        if not len(self._a):
            self._a = a.to(self._g.dtype).flatten(1, 2).contiguous()  # [groups, n t, k]
        self._g[:, :, place].unflatten(3, (self._t, self._c)).copy_(b.transpose(1, 2))

    def pulled(self, v: Tensor, outputs: slice) -> Tensor:
        """`[groups, w c, k]`."""
        weights = v.transpose(0, 1)  # [n, w, o]
        found = []
        for a, g in zip(self._a, self._g, strict=True):
            mixed = torch.bmm(weights, g[:, outputs])  # [n, w, t c]
            rows = mixed.unflatten(2, (self._t, self._c)).permute(1, 3, 0, 2)
            found.append(rows.reshape(-1, len(a)) @ a)
        return torch.stack(found)

    def pushed(self, u: Tensor, outputs: slice) -> Tensor:
        """`[w, n, o]`."""
        n, w = self._g.shape[1], u.shape[1] // self._c
        total = self._g.new_zeros(w, n, self._g[0, 0, outputs].shape[0])
        for a, g, one in zip(self._a, self._g, u, strict=True):
            seen = (a @ one.T).view(n, self._t, w, self._c).permute(0, 1, 3, 2)
            total += torch.bmm(g[:, outputs], seen.reshape(n, -1, w)).permute(2, 0, 1)
        return total


class _PartJacobian:
    """The Jacobian by the parameters of one part, `[n, o, p]`."""

    def __init__(self, job: NetworkRuns, k: int, side: int) -> None:
        self._part, self._run = job.parts[k], job.runs[side]
        shape = job.counts[side], len(job.outputs), job.numel(self._part)
        self._j = torch.empty(shape, dtype=job.accumulation, device=job.device)
        self.between = 0

    def keep(self, g: Sequence[Gradient], place: slice) -> None:
        blocks = self._part.explicit(self._run, g)  # each [o, n, p]
        start = 0
        for j in blocks:
            self._j[:, place, start : start + j.shape[2]] = j.transpose(0, 1)
            start += j.shape[2]

    def pulled(self, v: Tensor, outputs: slice) -> Tensor:
        """`[w, p]`."""
        return v.flatten(1) @ self._j[:, outputs].reshape(-1, self._j.shape[2])

    def pushed(self, u: Tensor, outputs: slice) -> Tensor:
        """`[w, n, o]`."""
        return (self._j[:, outputs] @ u.T).permute(2, 0, 1)
