"""Layers with weights: dense ones, convolutions, and those whose rule is a third party's."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.moments.convolution import Windows, convolved
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.held_layer import HeldLayer
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

    keeps_means: ClassVar[bool] = True

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

    keeps_means: ClassVar[bool] = True

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
        trains: Whether its parameters are trained.
        mixes: Whether it mixes channels: flattened features then count by their mean over positions.
        where: What an error calls the place in the user's forward.
    """

    layer: HeldLayer
    rule: Callable[[Any, PairState, Any], PairState]
    variances: str
    trains: bool
    mixes: bool
    where: str

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """By the rule.

        Raises:
            UnsupportedLayerError: It refuses the layer; the error is given the place.
        """
        before = states[0].read_out() if self.mixes else states[0]
        try:
            state = self.rule(self.layer.module, before, self.variances)
            self._check(before, state, at)
            if not self.trains and state.ntk is not None:
                state = self._frozen(before, state, state.ntk)
        except UnsupportedLayerError as error:
            raise UnsupportedLayerError(f"At {self.where}: {error}") from error
        return at.settled(state) if self.back == "windows" else state

    def _check(self, before: PairState, state: object, at: At) -> None:
        """Refuse what is no state of the same pairs.

        Raises:
            ValueError: The rule gave something else.
        """
        why = None
        if not isinstance(state, PairState):
            why = f"must return a `PairState`, got {type(state).__name__}"
        elif state.cov.shape[:2] != before.cov.shape[:2]:
            why = f"changed the pairs of points, from {tuple(before.cov.shape)} to {tuple(state.cov.shape)}"
        elif before.ntk is not None and state.ntk is None:
            why = "lost the tangent kernel `ntk`"
        elif at.demand.variances and before.var1 is not None and state.var1 is None:
            why = "lost the variances `var1` and `var2`"
        elif state.cov.dtype != before.cov.dtype:
            why = f"must keep {before.cov.dtype}, got {state.cov.dtype}"
        if why is not None:
            raise ValueError(
                f"At {self.where}: the rule of `{self.name}` {why}. Make its result by methods of the state "
                "(`affine`, `scaled`, ...), or by `dataclasses.replace`."
            )

    def _frozen(self, before: PairState, state: PairState, ntk: Tensor) -> PairState:
        """Without what the layer's own parameters add: rules are affine in the tangent kernel, so what they make of zero."""
        zero = torch.zeros((), dtype=ntk.dtype, device=ntk.device)
        own = self.rule(self.layer.module, replace(before, ntk=zero), self.variances).ntk
        assert own is not None
        if state.has_scales:  # none are trained but those that were there
            kept = (
                state.without_scales()
                if not before.has_scales
                else replace(state, scales=before.scales)
            )
            state = state if state.is_factorised and before.has_scales else kept
        return replace(state, ntk=ntk - own)
