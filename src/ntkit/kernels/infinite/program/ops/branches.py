"""Branches that join: sums, products, concatenations of features and of positions."""

from dataclasses import dataclass, field, replace
from math import nan
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.branches import multiply, weighted_sum
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.context import At
from ntkit.kernels.infinite.program.op import AbstractOp, Back
from ntkit.kernels.infinite.program.ops.bend import Mean

__all__ = [
    "AddBranches",
    "AddCovariances",
    "AddWithMeans",
    "Concatenate",
    "LessMean",
    "MultiplyBranches",
    "SideBySide",
]


@dataclass(frozen=True)
class AddBranches(AbstractOp):
    """The sum of independent branches, all but one centred.

    Attributes:
        squares: Of the factors that they are added with.
    """

    squares: tuple[float, ...]

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Moments add."""
        return weighted_sum(states, self.squares)


@dataclass(frozen=True)
class AddCovariances(AbstractOp):
    """The sum of covariances without the means of the units.

    Attributes:
        squares: Of the factors that they are added with.
    """

    squares: tuple[float, ...]

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Covariances add."""
        return weighted_sum([covariance_only(state) for state in states], self.squares)


@dataclass(frozen=True)
class AddWithMeans(AbstractOp):
    """A sum of several branches that have means: `E[a b'] = E[a] E[b']` for independent ones.

    The branches come first among the inputs, then the units that their means are functions of.

    Attributes:
        squares: Of the factors that they are added with.
        means: Of the branches that have one, with these factors.
    """

    squares: tuple[float, ...]
    means: tuple[Mean, ...]
    back: Back = field(default="variances", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The sum of the moments and of the products of different branches' means."""
        count = len(self.squares)
        state = weighted_sum(states[:count], self.squares)
        bases = zip(self.means, states[count:], strict=True)
        both = [part.both(base, at.context) for part, base in bases]
        first, second = [one for one, _ in both], [other for _, other in both]
        return replace(
            state,
            cov=state.cov + _crossed(first, second),
            var1=None if state.var1 is None else state.var1 + _crossed(first, first),
            var2=None if state.var2 is None else state.var2 + _crossed(second, second),
            apart=None,
            together=None,
        )


@dataclass(frozen=True)
class LessMean(AbstractOp):
    """Units without their mean: `Cov(s(u), s(v)) = E[s(u) s(v)] - E[s(u)] E[s(v)]`.

    Attributes:
        mean: Theirs; the second input is what it is a function of.
    """

    mean: Mean
    back: Back = field(default="variances", kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The covariance."""
        state, base = states
        first, second = self.mean.both(base, at.context)
        return replace(covariance_only(state), cov=state.cov - first * second)


@dataclass(frozen=True)
class MultiplyBranches(AbstractOp):
    """The elementwise product of two independent branches."""

    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Moments multiply."""
        return multiply(states[0], states[1])


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
            scales=nan if any(state.scales != 0 for state in states) else 0.0,
        )


def _alone(tables: list[Tensor | None], before_last: int) -> Tensor | None:
    """Tables of variances along an axis of theirs; None where one is not known."""
    known = [table for table in tables if table is not None]
    if len(known) < len(tables):
        return None
    lengths = [max(t.shape[k] for t in known) for k in range(2)]
    return torch.cat([t.expand(*lengths, *t.shape[2:]) for t in known], known[0].ndim - before_last)


def _crossed(left: list[Tensor], right: list[Tensor]) -> Tensor:
    """The sum of products of different branches' means."""
    pairs = [x * y for i, x in enumerate(left) for j, y in enumerate(right) if i != j]
    return torch.stack(torch.broadcast_tensors(*pairs)).sum(0)
