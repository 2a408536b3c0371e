"""Operations: frozen values that say what is computed, from what, and what each needs of those before."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.context import At
from ntkit.kernels.infinite.program.units import Demand, Units

__all__ = ["AbstractOp", "AbstractStep", "AbstractUnbound", "Back"]

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
