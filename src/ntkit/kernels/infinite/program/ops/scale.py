"""What is done to each unit alone: numbers, trained scales and shifts, masks."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At
from ntkit.kernels.infinite.program.weights import Weights

__all__ = ["Detach", "Mask", "Times", "TrainedScale"]


@dataclass(frozen=True)
class Times(AbstractOp):
    """Each unit times a number.

    Attributes:
        square: Of the number.
    """

    square: float

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """All moments times the square."""
        return states[0].scaled(self.square)


@dataclass(frozen=True)
class TrainedScale(AbstractOp):
    """A scale and a shift of each unit, of its own and trained along.

    Attributes:
        weights: What they do to both kernels, see `PairState.trained_scale`.
    """

    weights: Weights

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The state with the scales' own part marked."""
        return self.weights.of_units(states[0])


@dataclass(frozen=True)
class Detach(AbstractOp):
    """Units that count as constants to the layers before."""

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Without what the layers before add to the tangent kernel."""
        (state,) = states
        if state.ntk is None:
            return state
        return replace(state.without_scales(), ntk=torch.zeros_like(state.cov))


@dataclass(frozen=True)
class Mask(AbstractOp):
    """Dropout, drawn anew for each input: a unit's variance grows, its covariances stay.

    Attributes:
        keep: The share of units that are kept.
        whole_channels: Whether all positions of a channel share their fate.

    Source: Schoenholz et al. 2017 (arXiv:1611.01232), section 5.
    """

    keep: float
    whole_channels: bool

    keeps_means: ClassVar[bool] = True
    of_products: ClassVar[bool] = False

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """One over `keep` where a unit meets itself: the same input at the same position."""
        (state,), keep = states, self.keep
        same, factor = self._same(state, at)
        ntk = None if state.ntk is None else state.ntk * factor
        masked = replace(state, cov=state.cov * factor, ntk=ntk)
        if state.var1 is None or state.var2 is None:
            return masked
        pair = state.pair
        apart = 2 * (pair.norms / keep - pair.cov)
        return replace(
            masked,
            var1=state.var1 / keep,
            var2=state.var2 / keep,
            apart=apart if same is None else torch.where(same, pair.apart / keep, apart),
            together=None,
        )

    def _same(self, state: PairState, at: At) -> tuple[Tensor | None, Tensor | float]:
        """Which entries are of a unit with itself, and the factor of each."""
        same = at.context.same
        if at.context.second is None:
            same = torch.ones((1, 1), dtype=torch.bool, device=state.cov.device)
        if same is None:
            return None, 1.0
        k = len(state.positions)
        both = state.layout == "pairs"
        same = same.reshape(*same.shape, *(1,) * (2 * k if both else k))
        if k and both and not self.whole_channels:
            total = torch.Size(state.positions).numel()
            eye = torch.eye(total, dtype=torch.bool, device=state.cov.device)
            same = same & eye.reshape(*state.positions, *state.positions)
        return same, torch.where(same, 1 / self.keep, 1.0).to(state.cov.dtype)
