"""What is done to positions: other orders and shapes, maps, weights."""

from dataclasses import dataclass, field, replace
from math import prod
from typing import ClassVar

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.position_maps import PositionMap
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import AbstractOp, At, Back

__all__ = [
    "Flattened",
    "MapByPoint",
    "MapPositions",
    "Rename",
    "Resize",
    "Transpose",
    "WeighPositions",
]


@dataclass(frozen=True)
class Rename(AbstractOp):
    """The same units under another description: their axes, or which share of the channels they are."""

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The same state."""
        return states[0]


@dataclass(frozen=True)
class Flattened(AbstractOp):
    """Positions and channels as one axis of features: weights will see the mean over positions."""

    back: Back = field(default="each", kw_only=True)

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The same state, marked."""
        return replace(states[0], is_flat=True)


@dataclass(frozen=True)
class Resize(AbstractOp):
    """The same positions in the same order, under other sizes."""

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Tables of another shape."""
        old, sizes = len(states[0].positions), self.units.positions

        def on_positions(table: Tensor, end: int) -> Tensor:
            start, shape = table.ndim - end - old, table.shape
            ones = prod(shape[start : start + old]) == 1
            new = (1,) * len(sizes) if ones else sizes
            return table.reshape(*shape[:start], *new, *shape[start + old :])

        return states[0].rearranged(on_positions, sizes)


@dataclass(frozen=True)
class Transpose(AbstractOp):
    """The axes of positions in another order.

    Attributes:
        order: Where each was before.
    """

    order: tuple[int, ...]

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Tables with their axes permuted."""
        count = len(self.order)

        def on_positions(table: Tensor, end: int) -> Tensor:
            start = table.ndim - end - count
            head, tail = range(start), range(start + count, table.ndim)
            return table.permute(*head, *(start + k for k in self.order), *tail)

        return states[0].rearranged(on_positions, self.units.positions)


@dataclass(frozen=True)
class MapPositions(AbstractOp):
    """A linear map of positions, the same for every channel: pooling, resizing, cropping.

    Attributes:
        mixing: Its matrices. Where they mix positions each point is seen alone first.
    """

    mixing: PositionMap

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """The matrices on both sides of each table."""
        (state,), mixing = states, self.mixing
        if self.back == "same":
            return mixing.select(state)
        sizes = state.positions
        mixed = state.mixed(lambda table: mixing.on_both(table, sizes), mixing.positions)
        return at.settled(mixed)


@dataclass(frozen=True)
class MapByPoint(AbstractOp):
    """Positions times matrices that come with the points: graphs.

    Attributes:
        features: The number of the matrices `[n, *out, *in]` among the points' features.
        axes: The axes of positions that they act on.
        turned: Whether the matrices are `[n, *in, *out]`.
    """

    features: int
    axes: tuple[int, ...]
    turned: bool
    back: Back = field(default="pairs", kw_only=True)

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Each pair of points its own matrices on both sides."""
        matrices, count = at.context.features(self.features), len(states[0].positions)

        def on_pairs(table: Tensor) -> Tensor:
            for matrix, shift in zip(matrices, (0, count), strict=True):
                rows, out = self._flat(matrix.to(table))
                table = _applied(table, rows, out, [2 + shift + a for a in self.axes])
            return table

        return at.settled(states[0].mixed(on_pairs, self.units.positions))

    def _flat(self, matrix: Tensor) -> tuple[Tensor, torch.Size]:
        """Matrices `[n, m, out, in]` of patterns with several axes each way, and the axes of `out`."""
        k = len(self.axes)
        first = matrix.shape[2 : 2 + k]
        rows = matrix.reshape(*matrix.shape[:2], prod(first), -1)
        return (rows.mT, matrix.shape[2 + k :]) if self.turned else (rows, first)


@dataclass(frozen=True)
class WeighPositions(AbstractOp):
    """Times weights of positions that come with the points: masks.

    Attributes:
        features: Their number.
        channel_axis: Of the tensor that they multiply, where they have one entry; 0 for none.
        ndim: Axes of that tensor.
    """

    features: int
    channel_axis: int
    ndim: int

    is_linear: ClassVar[bool] = True

    def apply(self, states: tuple[PairState, ...], at: At) -> PairState:
        """Each point's own weights on both sides."""
        k, pairs = len(self.units.positions), at.demand.layout == "pairs"

        def shaped(weight: Tensor, *, first: bool) -> Tensor:
            weight = weight.double()
            weight = weight.reshape(*weight.shape[:2], *self._sizes(weight.shape[2:]))
            if not (pairs and k):
                return weight
            blank, lead, tail = (1,) * k, weight.shape[:2], weight.shape[2:]
            return weight.reshape(*lead, *((*tail, *blank) if first else (*blank, *tail)))

        left, right = at.context.features(self.features)
        return states[0].weighted(shaped(left, first=True), shaped(right, first=False))

    def _sizes(self, shape: torch.Size) -> tuple[int, ...]:
        """Sizes `[1.., ...]` completed to the tensor's rank (batch apart), less the channel axis."""
        sizes = [1] * (self.ndim - 1 - len(shape)) + list(shape)
        if self.channel_axis >= 1:  # one unit has none
            del sizes[self.channel_axis - 1]
        return tuple(sizes)


def _applied(table: Tensor, matrix: Tensor, out: torch.Size, axes: list[int]) -> Tensor:
    """Matrices along chosen axes of `[n, m, ...]`, each pair of points its own."""
    last = list(range(table.ndim - len(axes), table.ndim))
    moved = table.movedim(axes, last)
    rest = moved.shape[2 : table.ndim - len(axes)]
    flat = moved.reshape(*moved.shape[:2], prod(rest), -1) @ matrix.mT
    return flat.reshape(*flat.shape[:2], *rest, *out).movedim(last, axes)
