"""Channels that were split into heads, and the products of queries and keys: between a layer and attention."""

from dataclasses import dataclass

from torch import Tensor

__all__ = ["Layout", "Scores"]


@dataclass(frozen=True)
class Layout:
    """A step's tensor with its channels split into factors (heads and what each head has).

    Attributes:
        index: The step, whose tensor has its channels in one axis.
        axes: What each axis holds: 0 the points, `k + 1` the positions `k`, `-1 - j` the factor `j`
            of the channels.
        factors: The factors' sizes, outermost first.
    """

    index: int
    axes: tuple[int, ...]
    factors: tuple[int, ...]


@dataclass(frozen=True)
class Scores:
    """Products of queries with keys, `[points, heads, positions, positions]`.

    Attributes:
        query: The queries.
        key: The keys.
        factor: What the products were multiplied with.
        mask: What was added to them, `[positions, positions]`; None for nothing.
        is_softmax: Whether they went through softmax.
    """

    query: Layout
    key: Layout
    factor: float = 1.0
    mask: Tensor | None = None
    is_softmax: bool = False
