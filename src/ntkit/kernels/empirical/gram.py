"""The Gram matrix by the structured method: the parts of a job added up."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from ntkit.kernels.empirical.backward import Gradient
from ntkit.kernels.empirical.cancellation import few_cancel
from ntkit.kernels.empirical.contraction import contracted
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.parameter_groups import Part
from ntkit.kernels.empirical.product_orders import Total
from ntkit.kernels.empirical.products import GramSum
from ntkit.kernels.empirical.rules.linear import LinearUse

__all__ = ["gram"]

_HELD = 2**25
"""Bytes of gradients that are held together where those of some outputs do as well as those of all."""
_BYTES_OF_SUM = 12
"""Bytes of an entry of a `GramSum`: all layers have one at the same time."""


def gram(job: NetworkRuns) -> Tensor:
    """`[n, m, o, o]`, or the mean over outputs `[n, m]`, over the parameters."""
    if _has_only_singles(job):
        value, cancelling = _sum_of_singles(job).to(job.accumulation), []
    else:
        value, cancelling = _by_passes(job)
    value = value if job.full else value / len(job.outputs)
    left = sorted([*job.left_out, *cancelling])
    if not left:
        return value
    rest = contracted(job.target, *job.batches, job.outputs, left, job.memory, full=job.full)
    return rest if not job.parts else value + rest


def _has_only_singles(job: NetworkRuns) -> bool:
    """Whether it is the trace of dense layers that see one position, whose sums fit in the memory."""
    sums = _BYTES_OF_SUM * job.counts[0] * job.counts[-1] * len(job.parts)
    return (
        not job.full and 0 < sums <= job.memory and all(job.is_single(part) for part in job.parts)
    )


def _by_passes(job: NetworkRuns) -> tuple[Tensor, list[int]]:
    """Gradients of all outputs, then each part in its best order.

    Returns:
        The sum, and the parameters that it is without: their uses cancel, and their Jacobian is too
        large.
    """
    n, m, like = _extent(job)
    total = Total(n, m, len(job.outputs), full=job.full, like=like)
    cancels: dict[Part, bool] = {}  # asked of the first outputs
    left: list[int] = []
    for chosen, parts in job.passes(is_gram=True):
        found = [
            job.gradients(side, chosen, parts, summed=not job.full, is_gram=True)
            for side in range(len(job.runs))
        ]
        with torch.no_grad():
            for part in parts:
                sides = list(zip(job.runs, [side.pop(0) for side in found], strict=True))
                order = job.order(part, len(chosen))
                if order == "direct":
                    _add_direct(total, part, sides)
                    continue
                first = part.factors(*sides[0])
                if part not in cancels:
                    cancels[part] = few_cancel(*first)
                    if cancels[part] and _explicit_bytes(job, part, len(chosen)) > job.memory:
                        left += part.params
                if not cancels[part]:
                    second = part.factors(*sides[1]) if len(sides) > 1 else None
                    total.add_outer(first, second, order)
                elif part.params[0] not in left:
                    _add_direct(total, part, sides)
    return total.finished(), left


def _explicit_bytes(job: NetworkRuns, part: Part, n_outputs: int) -> int:
    item = torch.finfo(job.accumulation).bits // 8
    return sum(job.counts) * n_outputs * job.numel(part) * item


def _add_direct(total: Total, part: Part, sides: Sequence[tuple[Run, list[Gradient]]]) -> None:
    jacobians = [part.explicit(run, side) for run, side in sides]
    for k in range(len(part.params)):
        total.add_jacobians(jacobians[0][k], jacobians[1][k] if len(sides) > 1 else None)


def _sum_of_singles(job: NetworkRuns) -> Tensor:
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


def _singles(job: NetworkRuns, parts: list[Part], at_once: int) -> list[GramSum]:
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


def _extent(job: NetworkRuns) -> tuple[int, int | None, Tensor]:
    """Row points, column points (None: the same), and a tensor of the dtype of sums."""
    like = torch.empty(0, dtype=job.accumulation, device=job.device)
    return job.counts[0], None if len(job.counts) == 1 else job.counts[1], like
