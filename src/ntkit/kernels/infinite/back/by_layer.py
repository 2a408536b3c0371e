"""The tangent kernel layer by layer: what each layer's own parameters contribute."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import At, Context
from ntkit.kernels.infinite.program.program import Program
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["layer_kernels"]


def layer_kernels(
    program: Program, wanted: Sequence[Demand | None], context: Context
) -> Float[Tensor, "g ..."]:
    """Contribution of each layer with parameters to the tangent kernel; they add up to it.

    Every operation is affine in the tangent kernels that come in, so a layer's own part is what its
    step adds to zero, and what the later steps make of it is a difference.

    Raises:
        UnsupportedLayerError: A normalisation layer has trained scales.
    """
    owners = [k for k, op in enumerate(program.ops) if k in op.units.places]
    states: list[PairState | None] = []
    for index, (op, demand) in enumerate(zip(program.ops, wanted, strict=True)):
        if demand is None:
            states.append(None)
            continue
        taken = tuple(s for k in op.inputs if (s := states[k]) is not None)
        at = At(context, index, demand)
        state = program.apply(index, taken, at)
        if state.has_scales:
            raise UnsupportedLayerError(
                f"`{op.name}` has trained scales, whose own part of the tangent kernel is not "
                "told apart. Leave them out (`elementwise_affine=False`, `affine=False`)."
            )
        if index in owners:
            zero = torch.zeros((), dtype=state.cov.dtype, device=state.cov.device)
            alone = op.apply(tuple(replace(s, ntk=zero) for s in taken), at)
            assert state.ntk is not None and alone.ntk is not None
            mine = torch.zeros(len(owners), *(1,) * state.cov.ndim, dtype=state.cov.dtype)
            mine[owners.index(index)] = 1
            state = replace(state, ntk=state.ntk - (1 - mine.to(state.cov.device)) * alone.ntk)
        states.append(state)
    last = states[program.outputs[0]]
    assert last is not None and last.ntk is not None
    return last.ntk.expand(len(owners), *last.cov.shape)
