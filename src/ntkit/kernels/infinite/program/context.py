"""Where an operation is applied: on which points, to what end, and what is known of each point alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isnan

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.state import PairState, columns_last
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["At", "Context", "Side", "Watch"]


@dataclass(frozen=True)
class Side:
    """What one set of points brings along: features, and what was learned from each point alone.

    Attributes:
        features: By number, features of the points, `[n, *positions, f]`, or weights of positions.
        variances: By operation, variances of its units, `[n, *positions]`.
        maps: By operation, maps of positions of each point's own (attention), `[n, out, in]`.
    """

    features: Mapping[int, Tensor]
    variances: dict[int, Tensor] = field(default_factory=dict)
    maps: dict[int, Tensor] = field(default_factory=dict)

    def rows(self, start: int, stop: int) -> "Side":
        """A slice of the points."""
        parts = self.features, self.variances, self.maps
        return Side(*({k: v[start:stop] for k, v in part.items()} for part in parts))


_TELLING = 1e-5
"""`1 - |cos t|` from which a cosine in float64 tells the angle to 1e-13 and better."""


@dataclass
class Watch:
    """Remembers which pairs of units were nearly parallel or opposite before some nonlinearity.

    Attributes:
        close: `[n, m]`, of units without positions; None for none so far.
        has_factorised: Whether the part of a trained scale was taken with the rest, see
            `PairState.scales`.
    """

    close: Tensor | None = None
    has_factorised: bool = False

    def see(self, state: PairState) -> None:
        """Look at the units that a nonlinearity gets."""
        self.has_factorised = self.has_factorised or isnan(state.scales)
        if state.positions:
            return
        assert state.var1 is not None and state.var2 is not None
        reach = state.var1.sqrt() * (1 - _TELLING) * state.var2.sqrt()
        close = state.cov.abs() >= reach
        if bool(close.any()):
            self.close = close if self.close is None else self.close | close


@dataclass(frozen=True)
class Context:
    """On which points a program is run.

    Attributes:
        first: The points of the rows.
        second: The points of the columns; None when each point meets itself alone (`[n, 1, ...]`).
        with_ntk: Whether the tangent kernel is wanted.
        same: Which pairs are one and the same point, `[n, m]`; None for none.
        points: The state of the points, where it is known without their features.
        watch: Looks for pairs whose cosine does not tell their angle; None where distances do.
    """

    first: Side
    second: Side | None
    with_ntk: bool
    same: Tensor | None = None
    points: PairState | None = None
    watch: Watch | None = None

    def features(self, number: int) -> tuple[Tensor, Tensor]:
        """Features of rows `[n, 1, ...]` and columns `[1, m, ...]` (`[n, 1, ...]` for itself)."""
        left = self.first.features[number][:, None]
        if self.second is None:
            return left, left
        return left, self.second.features[number][None]


@dataclass(frozen=True)
class At:
    """What an operation is told beside the states of its inputs.

    Attributes:
        context: The points.
        place: Its own place in the program, under which what it learns of each point is kept.
        demand: What is wanted of it.
    """

    context: Context
    place: int
    demand: Demand

    def variances(self) -> tuple[Tensor, Tensor]:
        """Those that the operation has learned, of rows `[n, 1, ...]` and columns `[1, m, ...]`."""
        first, second = self.context.first, self.context.second
        left = first.variances[self.place][:, None]
        if second is None:
            return left, left
        return left, columns_last(second.variances[self.place][None])

    def maps(self) -> tuple[Tensor, Tensor]:
        """Those that it has learned, of rows `[n, 1, out, in]` and columns `[1, m, out, in]`."""
        first, second = self.context.first, self.context.second
        left = first.maps[self.place][:, None]
        return left, left if second is None else columns_last(second.maps[self.place][None])

    def settled(self, state: PairState) -> PairState:
        """A state of mixed positions with its variances: learned where each point meets itself.

        Args:
            state: Covariances after the operation.
        """
        k = len(state.positions)
        letters = "abcd"[:k]
        both = state.layout == "pairs"
        if self.context.second is None:
            equal = f"...{letters}{letters}->...{letters}"
            var = torch.einsum(equal, state.cov) if k and both else state.cov
            self.context.first.variances[self.place] = var[:, 0]
        if self.demand.variances:
            var1, var2 = self.variances()
            if both:
                var1 = var1.reshape(*var1.shape, *(1,) * k)
                var2 = var2.reshape(*var2.shape[:2], *(1,) * k, *var2.shape[2:])
            state = state.resolved(var1, var2)
        return state.each() if self.demand.layout == "each" else state
