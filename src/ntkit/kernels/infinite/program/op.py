"""Operations: frozen values that say what is computed, from what, and what each is told where it is applied."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.layout import columns_last
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.units import Demand, Units

__all__ = [
    "AbstractOp",
    "AbstractStep",
    "AbstractUnbound",
    "At",
    "Back",
    "Context",
    "PairWatch",
    "Side",
    "Step",
]


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
class PairWatch:
    """Remembers which pairs of units were nearly parallel or opposite before some nonlinearity.

    Attributes:
        close: `[n, m]`, of units without positions; None for none so far.
        has_factorised: Whether the part of a trained scale was taken with the rest, see
            `PairState.is_factorised`.
    """

    close: Tensor | None = None
    has_factorised: bool = False

    def see(self, state: PairState) -> None:
        """Look at the units that a nonlinearity gets."""
        self.has_factorised = self.has_factorised or state.is_factorised
        if state.positions:
            return
        assert state.var1 is not None and state.var2 is not None
        reach = state.var1.sqrt() * (1 - _TELLING) * state.var2.sqrt()
        close = state.cov.abs() >= reach
        # A GPU is not waited for at each layer, and what torch compiles has no choices.
        if torch.compiler.is_compiling() or close.device.type != "cpu" or bool(close.any()):
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
    watch: PairWatch | None = None

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


Back = Literal["same", "each", "variances", "windows", "pairs", "none"]
"""What an operation needs of its inputs, given what is needed of it: the "same"; "each" position with
itself; the same with "variances", or without ("windows"); all "pairs" of positions; or "none"."""


@dataclass(frozen=True)
class AbstractStep(ABC):
    """What operations have in common, whether their numbers are known yet or not.

    Attributes:
        name: What it is, for people; no part of what it computes.
        inputs: Places of the earlier steps that it takes.
        units: What is known of its output.
        back: What it needs of its inputs.
        is_homogeneous: Whether scaling all inputs scales the output.
        learns_alone: Whether it must see each point alone first, even when no variances are needed
            of it (attention).
        is_linear: Whether the units are a fixed linear map of its inputs' units, plus independent ones.
        keeps_means: Whether it may be applied to the mean of its inputs' moments over several draws: what
            it makes of them is affine in those of each input. Everything linear does.
        of_products: Whether it is a function of its inputs' statistics alone, and not of which points
            they belong to.
    """

    name: str = field(compare=False)
    inputs: tuple[int, ...]
    units: Units
    back: Back = field(default="same", kw_only=True)
    is_homogeneous: bool = field(default=True, kw_only=True)

    learns_alone: ClassVar[bool] = False
    is_linear: ClassVar[bool] = False
    keeps_means: ClassVar[bool] = False
    of_products: ClassVar[bool] = True

    def needs(self, demand: Demand) -> Demand:
        """What it needs of its inputs, where `demand` is needed of it."""
        if self.back == "each":
            return Demand("each", demand.variances)
        if self.back == "variances":
            return Demand(demand.layout, True)
        if self.back == "windows":
            return Demand(demand.layout, False)
        if self.back == "pairs":
            return Demand("pairs", False)
        return demand

    def learns(self, demand: Demand | None) -> bool:
        """Whether it must see each point alone before it sees pairs."""
        asked = self.back in {"windows", "pairs"} and demand is not None and demand.variances
        return self.learns_alone or asked


@dataclass(frozen=True)
class AbstractOp(AbstractStep):
    """An operation with its numbers: hashable, comparable, picklable."""

    @abstractmethod
    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The state after it, from those of its inputs."""


@dataclass(frozen=True)
class AbstractUnbound(AbstractStep):
    """A layer or parameter whose numbers are read when the kernel is called: weights change."""

    @abstractmethod
    def bind(self) -> AbstractOp:
        """The operation, with the numbers as they are now."""


Step = AbstractOp | AbstractUnbound
"""What a call becomes."""
