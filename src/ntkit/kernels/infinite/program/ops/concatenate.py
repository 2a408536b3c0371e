"""Concatenations: of features, and of positions."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.branches import weighted_sum
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At

__all__ = ["Concatenate", "SideBySide"]


@dataclass(frozen=True)
class Concatenate(AbstractOp):
    """A concatenation of features, as the mean over all units that weights will see.

    Attributes:
        weights: The parts' shares of the features.
        is_ragged: Whether flattened units stand beside others: they count by their means.
    """

    weights: tuple[float, ...]
    is_ragged: bool

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The weighted mean of the parts."""
        if self.is_ragged:
            states = tuple(state.read_out() for state in states)
        return weighted_sum(states, self.weights)


@dataclass(frozen=True)
class SideBySide(AbstractOp):
    """Independent units at positions of their own, one after the other along an axis.

    Attributes:
        axis: Of positions, along which they stand.
    """

    axis: int

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Blocks on the diagonal of the tables of pairs."""
        positions, axis = self.units.positions, self.axis
        count, pairs = len(positions), states[0].layout == "pairs"
        tail = 2 * count if pairs else count
        covs = [state.cov for state in states]
        lead = [max(c.shape[k] for c in covs) for k in range(covs[0].ndim - tail)]
        covs = [c.expand(*lead, *c.shape[c.ndim - tail :]) for c in covs]
        first = covs[0].ndim - tail + axis

        def joined(tables: list[Tensor]) -> Tensor:
            if not pairs:
                return torch.cat(tables, first)
            shape = list(tables[0].shape)
            shape[first] = shape[first + count] = positions[axis]
            whole, start = tables[0].new_zeros(shape), 0
            for table in tables:
                size = table.shape[first]
                whole.narrow(first, start, size).narrow(first + count, start, size).copy_(table)
                start += size
            return whole

        ntks = [s.ntk.expand_as(c) for s, c in zip(states, covs, strict=True) if s.ntk is not None]
        return PairState(
            joined(covs),
            joined(ntks) if len(ntks) == len(covs) else None,
            _alone([state.var1 for state in states], tail - axis),
            _alone([state.var2 for state in states], count - axis),
            positions=positions,
            layout=states[0].layout,
            is_factorised=any(state.has_scales for state in states),
        )


def _alone(tables: list[Tensor | None], before_last: int) -> Tensor | None:
    """Tables of variances along an axis of theirs; None where one is not known."""
    known = [table for table in tables if table is not None]
    if len(known) < len(tables):
        return None
    lengths = [max(t.shape[k] for t in known) for k in range(2)]
    return torch.cat([t.expand(*lengths, *t.shape[2:]) for t in known], known[0].ndim - before_last)
