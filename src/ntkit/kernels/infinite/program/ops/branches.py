"""Branches that join: sums, products, concatenations of features and of positions."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.branches import multiply, weighted_sum
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back
from ntkit.kernels.infinite.program.ops.bend import Mean

__all__ = ["AddBranches", "AddCovariances", "AddWithMeans", "LessMean", "MultiplyBranches"]


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

    keeps_means: ClassVar[bool] = True

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

    keeps_means: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Moments multiply."""
        return multiply(states[0], states[1])


def _crossed(left: list[Tensor], right: list[Tensor]) -> Tensor:
    """The sum of products of different branches' means."""
    pairs = [x * y for i, x in enumerate(left) for j, y in enumerate(right) if i != j]
    return torch.stack(torch.broadcast_tensors(*pairs)).sum(0)
