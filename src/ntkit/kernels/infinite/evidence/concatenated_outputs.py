"""Outputs that are concatenated: one kernel stands for all of them only where it is the same."""

from dataclasses import replace

import torch
from torch import Tensor

from ntkit.kernels.infinite.back.interpreter import propagate
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.op import Context, Side
from ntkit.kernels.infinite.program.program import demands
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["check_heads"]

_SAME = 1e-9
"""Relative difference up to which two heads have one kernel: rounding, and nothing else."""


def check_heads(lowered: Lowered, point: Side) -> None:
    """Refuse heads whose kernels differ at a point.

    Both kernels of the point with itself are compared: heads of another depth, input, activation or
    scale differ in one of them.
    """
    for node, parts in lowered.heads:
        each = replace(lowered.program.bind(), outputs=parts)
        wanted = demands(each.ops, parts, Demand("each"))
        with torch.no_grad():
            states = propagate(each, wanted, Context(point, None, with_ntk=True))
        for get in ("cov", "ntk"):
            first, *others = (_value(getattr(state, get)) for state in states)
            if any(not torch.allclose(first, other, rtol=_SAME, atol=0.0) for other in others):
                names = ", ".join(f"`{lowered.steps[k].name}`" for k in parts)
                refuse(
                    node,
                    f"the outputs are a concatenation of {names}, whose kernels differ, so that no one "
                    "kernel is that of all outputs. Return the parts as a tuple (`return a, b`): each "
                    "then has its own. (Plain layers have the variance of their own few weights; "
                    '`variances="default"` gives all of them that of the initialisation.)',
                )


def _value(table: Tensor | None) -> Tensor:
    assert table is not None
    return table.double()
