"""Layers with weights: dense ones, convolutions, and those whose rule is a third party's."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from torch import nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.moments.convolution import Windows, convolved
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back
from ntkit.kernels.infinite.program.weights import Weights

__all__ = ["Affine", "Convolve", "Custom"]


@dataclass(frozen=True)
class Affine(AbstractOp):
    """Fresh weights across channels.

    Attributes:
        weights: What they do to both kernels.
    """

    weights: Weights

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Of flattened features by their mean over positions."""
        return self.weights.of(states[0].read_out())


@dataclass(frozen=True)
class Convolve(AbstractOp):
    """Fresh weights across channels and positions.

    Attributes:
        windows: The sums over positions, and what the weights make of them.
    """

    windows: Windows
    back: Back = field(default="windows", kw_only=True)

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """See `convolved`."""
        return at.settled(convolved(states[0].read_out(), self.windows))


@dataclass(frozen=True)
class Custom(AbstractOp):
    """A layer whose rule is a function of the layer and the state: it reads what it wants of both.

    Attributes:
        layer: The layer.
        rule: `rule(layer, state, variances)`.
        variances: Where those of plain layers come from.
        trains: Whether the weights and the biases are trained.
        mixes: Whether it mixes channels: flattened features then count by their mean over positions.
        where: What an error calls the place in the user's forward.
    """

    layer: nn.Module
    rule: Callable[[Any, PairState, Any], PairState]
    variances: str
    trains: tuple[bool, bool]
    mixes: bool
    where: str

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """By the rule.

        Raises:
            UnsupportedLayerError: It refuses the layer; the error is given the place.
        """
        before = states[0].read_out() if self.mixes else states[0]
        before = replace(before, trains=self.trains)
        try:
            state = self.rule(self.layer, before, self.variances)
        except UnsupportedLayerError as error:
            raise UnsupportedLayerError(f"At {self.where}: {error}") from error
        state = replace(state, trains=(True, True))
        return at.settled(state) if self.back == "windows" else state
