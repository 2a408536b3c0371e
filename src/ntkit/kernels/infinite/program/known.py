"""Means of units that are numbers of the module or of the points, and not of chance: as values."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.position_maps import PositionMap
from ntkit.kernels.infinite.program.op import Context, Side

__all__ = [
    "AbstractKnown",
    "KnownFeatures",
    "KnownMapped",
    "KnownNumber",
    "KnownSum",
    "KnownTransposed",
    "KnownWeighed",
]


class AbstractKnown(ABC):
    """The mean of each unit: one for each channel, or one for all."""

    @abstractmethod
    def of(self, side: Side) -> Tensor:
        """`[n, *positions, channels]`, or what broadcasts to it."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """How many there are: 1 for the same in all channels."""

    def both(self, context: Context, positions: tuple[int, ...]) -> tuple[Tensor, Tensor | None]:
        """Of rows `[n, p, c]` and columns `[m, p, c]`; None where each point meets itself."""

        def flat(side: Side) -> Tensor:
            n = len(next(iter(side.features.values())))
            whole = self.of(side)
            whole = whole.expand(n, *positions, whole.shape[-1])
            return whole.reshape(n, -1, whole.shape[-1])

        second = None if context.second is None else flat(context.second)
        return flat(context.first), second


@dataclass(frozen=True)
class KnownFeatures(AbstractKnown):
    """Features of the points, or numbers that are the same for all of them.

    Attributes:
        features: Their number.
        count: Of channels.
    """

    features: int
    count: int

    def of(self, side: Side) -> Tensor:
        """As they are."""
        return side.features[self.features]

    @property
    def channels(self) -> int:
        """Of the features."""
        return self.count


@dataclass(frozen=True)
class KnownNumber(AbstractKnown):
    """One number for all units, at positions of so many axes.

    Attributes:
        number: It.
        axes: Of positions.
    """

    number: float
    axes: int

    def of(self, side: Side) -> Tensor:
        """The number."""
        like = next(iter(side.features.values()))
        return torch.full((1,) * (self.axes + 2), self.number, dtype=torch.float64).to(like.device)

    @property
    def channels(self) -> int:
        """The same in all channels."""
        return 1


@dataclass(frozen=True)
class KnownSum(AbstractKnown):
    """A sum, each term times a factor.

    Attributes:
        terms: At least one.
        factors: As many.
    """

    terms: tuple[AbstractKnown, ...]
    factors: tuple[float, ...]

    def of(self, side: Side) -> Tensor:
        """Terms of one channel are added to all channels."""
        parts = [c * known.of(side) for known, c in zip(self.terms, self.factors, strict=True)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    @property
    def channels(self) -> int:
        """The most of any term."""
        return max(term.channels for term in self.terms)


@dataclass(frozen=True)
class KnownMapped(AbstractKnown):
    """After a linear map of positions.

    Attributes:
        known: Before.
        mixing: The map.
        sizes: Of the positions before.
    """

    known: AbstractKnown
    mixing: PositionMap
    sizes: tuple[int, ...]

    def of(self, side: Side) -> Tensor:
        """The map of each channel."""
        whole = self.known.of(side)
        whole = whole.expand(len(whole), *self.sizes, whole.shape[-1])
        return self.mixing.on_positions(whole, self.sizes, 1)

    @property
    def channels(self) -> int:
        """As before."""
        return self.known.channels


@dataclass(frozen=True)
class KnownTransposed(AbstractKnown):
    """With the axes of positions in another order, then under other sizes.

    Attributes:
        known: Before.
        before: Sizes of the positions before.
        order: Where each axis was.
        after: Sizes afterwards.
    """

    known: AbstractKnown
    before: tuple[int, ...]
    order: tuple[int, ...]
    after: tuple[int, ...]

    def of(self, side: Side) -> Tensor:
        """The same numbers."""
        whole = self.known.of(side)
        whole = whole.expand(len(whole), *self.before, whole.shape[-1])
        turned = whole.permute(0, *(1 + k for k in self.order), whole.ndim - 1)
        return turned.reshape(len(whole), *self.after, whole.shape[-1])

    @property
    def channels(self) -> int:
        """As before."""
        return self.known.channels


@dataclass(frozen=True)
class KnownWeighed(AbstractKnown):
    """Times weights of positions that come with the points.

    Attributes:
        known: Before.
        features: The number of the weights.
        channel_axis: Of the tensor that they multiply, where they have one entry; 0 for none.
        axes: Of positions.
    """

    known: AbstractKnown
    features: int
    channel_axis: int
    axes: int

    def of(self, side: Side) -> Tensor:
        """Each point's own weights."""
        weights = side.features[self.features].double()
        ndim = self.axes + (1 if self.channel_axis else 0)
        sizes = [1] * (ndim - weights.ndim + 1) + list(weights.shape[1:])
        if self.channel_axis:
            del sizes[self.channel_axis - 1]
        return self.known.of(side) * weights.reshape(len(weights), *sizes, 1)

    @property
    def channels(self) -> int:
        """As before."""
        return self.known.channels
