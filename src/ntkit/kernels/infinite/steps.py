"""The steps of a plan: what is computed, from what, and what each needs of those before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Literal

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.state import Layout, PairState
from ntkit.kernels.infinite.windows import Windows

__all__ = [
    "Context",
    "Demand",
    "Side",
    "Source",
    "Step",
    "Transform",
    "Value",
    "Watch",
    "columns_last",
    "settle",
]


@dataclass(frozen=True)
class Source:
    """Fresh weights: those of the step `place`, for a share of its channels.

    Attributes:
        place: The step.
        start: Where the share begins.
        stop: Where it ends.
        is_scattered: Whether the channels came into another order: a part of them may be any.
    """

    place: int
    start: float = 0.0
    stop: float = 1.0
    is_scattered: bool = False

    def part(self, start: float, stop: float) -> "Source":
        """The weights of a part of the channels, from `start` to `stop` of one."""
        if self.is_scattered:
            return self
        size = self.stop - self.start
        return Source(self.place, self.start + size * start, self.start + size * stop)


@dataclass(frozen=True)
class Value:
    """What is known of a step's units before anything is computed.

    Attributes:
        channel_axis: Where the network's tensor has its channels; 0 where that axis is gone, since
            one unit was taken.
        positions: Sizes of its other axes, the batch apart.
        is_flat: Whether one axis of features holds channels and positions.
        is_gaussian: Whether the units are jointly Gaussian.
        is_centred: Whether their mean is zero.
        sources: The layers whose fresh weights the units depend on, and which share of their
            channels; units of disjoint sources are independent.
        is_alike: Whether all units have one law. In a concatenation, and what is made of it, those
            of the parts differ, and the state is their mean: right for weights that mix them all,
            and for nothing that acts on some of them.
    """

    channel_axis: int
    positions: tuple[int, ...]
    is_flat: bool
    is_gaussian: bool
    is_centred: bool
    sources: frozenset[Source]
    is_alike: bool = True

    @property
    def places(self) -> frozenset[int]:
        """The steps of the layers among the sources."""
        return frozenset(source.place for source in self.sources)

    def shared(self, other: "Value") -> set[int]:
        """The steps whose weights both depend on; empty if they are independent."""
        return {
            a.place
            for a in self.sources
            for b in other.sources
            if a.place == b.place and a.start < b.stop and b.start < a.stop
        }


@dataclass(frozen=True)
class Demand:
    """What the later steps need of a state: which pairs of positions, and the variances or not."""

    layout: Layout = "each"
    variances: bool = False

    def __or__(self, other: "Demand") -> "Demand":
        layout: Layout = "pairs" if "pairs" in {self.layout, other.layout} else "each"
        return Demand(layout, self.variances or other.variances)


@dataclass(frozen=True)
class Side:
    """What one set of points brings along: features, and what was learned from each point alone.

    Attributes:
        features: By step, features of the points, `[n, *positions, f]`, or weights of positions.
        records: By step, variances `[n, *positions]` or maps of positions `[n, out, in]`.
    """

    features: Mapping[int, Tensor]
    records: dict[int, Tensor] = field(default_factory=dict)

    def rows(self, start: int, stop: int) -> "Side":
        """A slice of the points."""
        return Side(
            {k: v[start:stop] for k, v in self.features.items()},
            {k: v[start:stop] for k, v in self.records.items()},
        )


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
    """Where a step is run: on which points, and to what end.

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

    def first_record(self, index: int) -> Tensor:
        """Of the rows' points, `[n, 1, ...]`."""
        return self.first.records[index][:, None]

    def second_record(self, index: int) -> Tensor:
        """Of the columns' points, `[1, m, ...]`, or `[n, 1, ...]` when each meets itself."""
        if self.second is None:
            return self.first.records[index][:, None]
        return columns_last(self.second.records[index][None])

    def both_features(self, index: int) -> tuple[Tensor, Tensor]:
        """Features of rows `[n, 1, ...]` and columns `[1, m, ...]` (`[n, 1, ...]` for itself)."""
        left = self.first.features[index][:, None]
        if self.second is None:
            return left, left
        return left, self.second.features[index][None]


Transform = Callable[[Tensor], Tensor]
Run = Callable[[tuple[PairState, ...], Context, Demand], PairState]
Back = Literal["same", "each", "variances", "windows", "pairs", "none"]


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    Attributes:
        name: What it is, for people.
        inputs: Earlier steps that it takes.
        run: `run(states, context, demand)`.
        value: What is known of its output.
        back: What it needs of its inputs, given what is needed of it: the "same"; "each" position
            with itself; the same with "variances", or without ("windows"); all "pairs" of
            positions; or "none".
        is_homogeneous: Whether scaling all inputs scales the output.
        learns_alone: Whether it must see each point alone first, even when no variances are needed
            of it (attention).
        is_linear: Whether the units are a fixed linear map of its inputs' units, plus independent ones.
        windows: The convolution that it is, as its weights are now; None for all else.
        activation: The nonlinearity that it is; None for all else.
        sees_points: Whether it takes the points' own features, beside what its inputs know of them.
    """

    name: str
    inputs: tuple[int, ...]
    run: Run
    value: Value
    back: Back = "same"
    is_homogeneous: bool = True
    learns_alone: bool = False
    is_linear: bool = False
    windows: Callable[[], Windows] | None = None
    activation: AbstractActivation | None = None
    sees_points: bool = False

    def demand_of_inputs(self, demand: Demand) -> Demand:
        """What this step needs of its inputs."""
        if self.back == "each":
            return Demand("each", demand.variances)
        if self.back == "variances":
            return Demand(demand.layout, True)
        if self.back == "windows":
            return Demand(demand.layout, False)
        if self.back == "pairs":
            return Demand("pairs", False)
        return demand

    def records(self, demand: Demand | None) -> bool:
        """Whether it must see each point alone before it sees pairs."""
        asked = self.back in {"windows", "pairs"} and demand is not None and demand.variances
        return self.learns_alone or asked


def settle(state: PairState, place: int, context: Context, demand: Demand) -> PairState:
    """Give a state of mixed positions its variances: learned where each point meets itself.

    Args:
        state: Covariances after the step.
        place: Index of the step, under which the variances are kept.
        context: Where the step is run.
        demand: What is wanted of it.
    """
    k = len(state.positions)
    letters = "abcd"[:k]
    both = state.layout == "pairs"
    if context.second is None:
        equal = f"...{letters}{letters}->...{letters}"
        var = torch.einsum(equal, state.cov) if k and both else state.cov
        context.first.records[place] = var[:, 0]
    if demand.variances:
        var1, var2 = context.first_record(place), context.second_record(place)
        if both:
            var1 = var1.reshape(*var1.shape, *(1,) * k)
            var2 = var2.reshape(*var2.shape[:2], *(1,) * k, *var2.shape[2:])
        state = state.resolved(var1, var2)
    return state.each() if demand.layout == "each" else state


def columns_last(table: Tensor) -> Tensor:
    """`[1, m, ...]` with the points innermost in memory, as in the tables that it meets."""
    return table.movedim(1, -1).contiguous().movedim(-1, 1)
