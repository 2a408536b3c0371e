"""The Gram matrix by the structured method: the parts of a job added up."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from ntkit.kernels.empirical.backward import Gradient
from ntkit.kernels.empirical.contraction import contracted
from ntkit.kernels.empirical.job import Job
from ntkit.kernels.empirical.orders import Order, Total
from ntkit.kernels.empirical.parts import Part
from ntkit.kernels.empirical.products import GramSum
from ntkit.kernels.empirical.rules.linear import LinearUse

__all__ = ["gram"]

_HELD = 2**25
"""Bytes of gradients that are held together where those of some outputs do as well as those of all."""
_BYTES_OF_SUM = 12
"""Bytes of an entry of a `GramSum`: all layers have one at the same time."""


def gram(job: Job) -> Tensor:
    """`[n, m, o, o]`, or the mean over outputs `[n, m]`, over the parameters."""
    value = _sum_of_singles(job).to(job.accumulation) if _has_only_singles(job) else _by_passes(job)
    value = value if job.full else value / len(job.outputs)
    if not job.left_out:
        return value
    rest = contracted(
        job.target, *job.batches, job.outputs, job.left_out, job.memory, full=job.full
    )
    return rest if not job.parts else value + rest


def _has_only_singles(job: Job) -> bool:
    """Whether it is the trace of dense layers that see one position, whose sums fit in the memory."""
    sums = _BYTES_OF_SUM * job.counts[0] * job.counts[-1] * len(job.parts)
    return (
        not job.full and 0 < sums <= job.memory and all(job.is_single(part) for part in job.parts)
    )


def _by_passes(job: Job) -> Tensor:
    """Gradients of all outputs, then each part in its best order."""
    n, m, like = _extent(job)
    total = Total(n, m, len(job.outputs), full=job.full, like=like)
    for chosen, parts in job.passes(is_gram=True):
        found = [
            job.gradients(side, chosen, parts, summed=not job.full, is_gram=True)
            for side in range(len(job.runs))
        ]
        with torch.no_grad():
            for part in parts:
                order = job.order(part, len(chosen))
                _add(job, total, part, [g.pop(0) for g in found], order)
    return total.finished()


def _add(job: Job, total: Total, part: Part, g: Sequence[list[Gradient]], order: Order) -> None:
    sides = list(zip(job.runs, g, strict=True))
    if order != "direct":
        factors = [part.factors(run, side) for run, side in sides]
        total.add_outer(factors[0], factors[1] if len(factors) > 1 else None, order)
        return
    jacobians = [part.explicit(run, side) for run, side in sides]
    for k in range(len(part.params)):
        total.add_jacobians(jacobians[0][k], jacobians[1][k] if len(sides) > 1 else None)


def _sum_of_singles(job: Job) -> Tensor:
    """For each layer `sum_o Gram(g_o)`, which grows some outputs at a time.

    The gradients of all outputs are never held together, but those at the end of the network, which
    are known.
    """
    known = [part for part in job.parts if job.is_summed(part)]
    below = [part for part in job.parts if part not in known]
    held = job.memory if job.device.type != "cpu" else min(_HELD, job.memory)
    few = max(1, held // max(1, sum(job.part_bytes(part) for part in below)))
    sums = [*_singles(job, known, len(job.outputs)), *_singles(job, below, few)]
    for other in sums[1:]:
        sums[0].merge(other)
    return sums[0].finished()


def _singles(job: Job, parts: list[Part], at_once: int) -> list[GramSum]:
    sides = range(len(job.runs))
    n, m, like = _extent(job)
    sums = [GramSum(n, m, like) for _ in parts]
    for start in range(0, len(job.outputs) if parts else 0, at_once):
        chosen = job.outputs[start : start + at_once]
        found = [job.gradients(side, chosen, parts, summed=True) for side in sides]
        with torch.no_grad():
            for k, (part, grams) in enumerate(zip(parts, sums, strict=True)):
                g = [part.outer_gradients(job.runs[side], found[side][k]) for side in sides]
                grams.add(g[0][0, :, :, 0], g[-1][0, :, :, 0])
    with torch.no_grad():
        for part, grams in zip(parts, sums, strict=True):
            uses = [cast(LinearUse, run.uses[part.uses[0]]) for run in job.runs]
            a = [use.rows(part.layouts[0])[:, 0] for use in uses]
            grams.multiply(a[0], a[-1], float(uses[0].has_bias))
    return sums


def _extent(job: Job) -> tuple[int, int | None, Tensor]:
    """Row points, column points (None: the same), and a tensor of the dtype of sums."""
    like = torch.empty(0, dtype=job.accumulation, device=job.device)
    return job.counts[0], None if len(job.counts) == 1 else job.counts[1], like
