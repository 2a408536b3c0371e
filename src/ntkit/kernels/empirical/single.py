"""The trace of networks of dense layers that see one position: outputs are added up as they come."""

from typing import TYPE_CHECKING

import torch

from ntkit.kernels.empirical.orders import Total
from ntkit.kernels.empirical.parts import Part

if TYPE_CHECKING:
    from ntkit.kernels.empirical.job import Job

__all__ = ["add_single", "is_single"]

_CACHE = 2**19
"""Bytes of a layer's gradients, of some outputs, that stay in a core's cache until they are used."""


def is_single(job: "Job", part: Part) -> bool:
    """Whether a part is a dense layer, used once, at one position."""
    if not part.is_outer or len(part.uses) > 1:
        return False
    sizes = job.sizes(part, 1)
    return sizes.t == 1 and sizes.groups == 1


def add_single(job: "Job", total: Total) -> None:
    """Add parts that `is_single` holds for to a trace.

    `sum_o Gram(g_o)` of each layer grows output by output; the gradients of all outputs are never
    held together. Those at the end of the network, where they are known, come at once.
    """
    known = [part for part in job.parts if job.is_known(part)]
    below = [part for part in job.parts if part not in known]
    _add(job, total, known, len(job.outputs))
    bytes_each = [job.part_bytes(part) for part in below]
    if job.device.type == "cpu":
        room = _CACHE // max(bytes_each, default=1)
    else:
        room = job.memory // max(1, sum(bytes_each))
    _add(job, total, below, max(1, room))


def _add(job: "Job", total: Total, parts: list[Part], at_once: int) -> None:
    if not parts:
        return
    sides = range(len(job.runs))
    sums = [total.sum_of_grams(job.counts[0], job.counts[-1]) for _ in parts]
    for start in range(0, len(job.outputs), at_once):
        chosen = job.outputs[start : start + at_once]
        found = [job.gradients(side, chosen, parts, summed=True) for side in sides]
        with torch.no_grad():
            for k, (part, grams) in enumerate(zip(parts, sums, strict=True)):
                g = [
                    part.outer_gradients(job.runs[side], found[side][k])[0][:, :, 0]
                    for side in sides
                ]
                grams.add(g[0], g[-1])
    with torch.no_grad():
        for part, grams in zip(parts, sums, strict=True):
            a = [part.inputs(run)[0][:, 0] for run in job.runs]
            total.add_single(a[0], a[-1], grams)
