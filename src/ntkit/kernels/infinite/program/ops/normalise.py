"""Normalisation of units by what all of a point have in common, and batch statistics held fixed."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back
from ntkit.kernels.infinite.program.ops.bend import Mean, means
from ntkit.kernels.infinite.program.weights import Weights

__all__ = ["Normalise", "ScaleWithMeans"]


@dataclass(frozen=True)
class Normalise(AbstractOp):
    """Layer, root-mean-square and group normalisation: `cov <- cov / sqrt((var1 + eps)(var2 + eps))`.

    The parts of a concatenation come first among the inputs, then the units that means are functions of.

    Attributes:
        part: Which part of a concatenation this is; 0 without one.
        shares: Of the parts in all units.
        averaged: Axes of positions over which variances are means.
        means: What is taken off before; of a concatenation nothing.
        epsilon: What is added to the variances.
        scale: Trained scales and shifts afterwards; None for none.
        by_position: Whether each position has scales of its own.
        where: What an error calls the place in the user's forward.
    """

    part: int
    shares: tuple[float, ...]
    averaged: tuple[int, ...]
    means: tuple[Mean, ...]
    epsilon: float
    scale: Weights | None
    by_position: bool
    where: str
    back: Back = field(default="variances", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Each point's units over the root of their own variance.

        Raises:
            UnsupportedLayerError: Positions differ in their scales, and pairs of them are wanted.
        """
        count = len(self.shares)
        mine, bases = list(states[:count]), states[count:]
        if self.means:
            mine = [_centred(mine[0], means(self.means, bases, at.context))]
        epsilon = torch.tensor(self.epsilon, dtype=torch.float64)
        first = second = epsilon.to(mine[0].cov.device)
        for share, state in zip(self.shares, mine, strict=True):
            first = first + share * _mean_variance(state, self.averaged, 0)
            second = second + share * _mean_variance(state, self.averaged, 1)
        state = mine[self.part].normalised(first, second)
        if self.scale is None:
            return state
        some = len(self.averaged) < len(state.positions)
        if self.by_position and state.layout == "pairs" and some:
            raise UnsupportedLayerError(
                f"At {self.where}: `{self.name}` has scales of its own at some positions and not at "
                "others. Use `elementwise_affine=False`, or normalise over all positions or none."
            )
        return self.scale.of_units(state, by_position=self.by_position)


@dataclass(frozen=True)
class ScaleWithMeans(AbstractOp):
    """Batch statistics held fixed, of units with a mean `m`: what it adds is `E[scale shift] (m + m')`.

    The units come first among the inputs, then those that means are functions of.

    Attributes:
        scale: For centred units.
        cross: `E[scale shift]`.
        own_cross: The same in the tangent kernel.
        means: Of the units.
    """

    scale: Weights
    cross: float
    own_cross: float
    means: tuple[Mean, ...]
    back: Back = field(default="variances", kw_only=True)
    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The rule for centred units, and the means' part."""
        state, *bases = states
        first, second = means(self.means, bases, at.context)
        after = self.scale.of_units(state)
        ntk = None if after.ntk is None else after.ntk + self.own_cross * (first + second)
        assert after.var1 is not None and after.var2 is not None
        return replace(
            covariance_only(after),
            cov=after.cov + self.cross * (first + second),
            ntk=ntk,
            var1=after.var1 + 2 * self.cross * first,
            var2=after.var2 + 2 * self.cross * second,
        )


def _mean_variance(state: PairState, averaged: tuple[int, ...], which: int) -> Tensor:
    """The variance of the first or second inputs, over the normalised positions."""
    table = (state.var1, state.var2)[which]
    assert table is not None
    k = len(state.positions)
    if not averaged or table.ndim < k + 2:
        return table
    shift = k if which and state.layout == "pairs" else 0
    return table.mean([2 + shift + j for j in averaged], keepdim=True)


def _centred(state: PairState, mean: tuple[Tensor, Tensor]) -> PairState:
    """With the mean over many channels taken away."""
    first, second = mean
    assert state.var1 is not None and state.var2 is not None
    return replace(
        covariance_only(state),
        cov=state.cov - first * second,
        var1=state.var1 - first**2,
        var2=state.var2 - second**2,
    )
