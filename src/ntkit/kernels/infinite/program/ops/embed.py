"""Parameters that are units of their own, the same for all points: tables of positions and tokens."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch

from ntkit.kernels.infinite.moments.branches import weighted_sum
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At

__all__ = ["AddTable", "TakeToken", "TrainFeatures", "TrainTable"]


@dataclass(frozen=True)
class AddTable(AbstractOp):
    """A random embedding of each position: `cov <- cov + v` where a position meets itself.

    Attributes:
        square: `v`, of its entries.
        own: What it contributes to the tangent kernel.
    """

    square: float
    own: float
    is_homogeneous: bool = field(default=False, kw_only=True)

    keeps_means: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The sum of the units and the table."""
        (state,) = states
        return weighted_sum((state, _table(state, self.square, self.own)), (1.0, 1.0))


@dataclass(frozen=True)
class TrainTable(AbstractOp):
    """What a trained table whose numbers are known adds to the tangent kernel.

    Attributes:
        own: Where a position meets itself.
    """

    own: float
    is_homogeneous: bool = field(default=False, kw_only=True)

    keeps_means: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The same covariances."""
        (state,) = states
        own = _table(state, 0.0, self.own).ntk
        return state if state.ntk is None or own is None else replace(state, ntk=state.ntk + own)


@dataclass(frozen=True)
class TakeToken(AbstractOp):
    """A parameter as units at positions of its own, beside those of its input (class tokens).

    Attributes:
        square: Of its entries.
        own: What it contributes to the tangent kernel.
    """

    square: float
    own: float
    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Units that are the same for all points."""
        (state,), positions = states, self.units.positions
        k, pairs = len(state.positions), state.layout == "pairs"
        lead = state.cov.shape[: state.cov.ndim - (2 * k if pairs else k)]
        blank = state.cov.new_zeros(*lead, *positions, *(positions if pairs else ()))
        found = _table(replace(state, cov=blank, positions=positions), self.square, self.own)
        if state.var1 is None:
            return found
        ones = (1,) * k if pairs else ()
        var = self.square * blank.new_ones(1, 1, *positions)
        return replace(
            found,
            var1=var.reshape(1, 1, *positions, *ones),
            var2=var.reshape(1, 1, *ones, *positions),
            apart=None,
            together=None,
        )


@dataclass(frozen=True)
class TrainFeatures(AbstractOp):
    """Trained scales and shifts of the points' own features: `own_weight cov + own_bias`.

    The first input is what they make of the features, the last what they act on.

    Attributes:
        own_weight: Of the scales.
        own_bias: Of the shifts.
    """

    own_weight: float
    own_bias: float
    is_homogeneous: bool = field(default=False, kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The same covariances, and a tangent kernel to begin with."""
        state = states[0]
        if state.ntk is None:
            return state
        return replace(state, ntk=self.own_weight * states[-1].cov + self.own_bias)


def _table(like: PairState, square: float, own: float) -> PairState:
    """Units that are drawn for each position and are the same for all inputs."""
    one = torch.ones_like(like.cov)
    whole = like.cov.new_ones(())
    table = replace(
        like.without_scales(),
        cov=square * one,
        ntk=None if like.ntk is None else own * one,
        var1=None if like.var1 is None else square * whole,
        var2=None if like.var2 is None else square * whole,
        apart=None if like.apart is None else 0 * whole,
        together=None if like.apart is None else 4 * square * whole,
    )
    return table.decorrelated()
