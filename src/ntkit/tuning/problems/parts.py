"""Small parts that problems share."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["inverse_sum", "some"]


def inverse_sum(norms: Sequence[float]) -> Float[Tensor, " 1"]:
    """One norm for layers that are taken as one: the inverse of the sum of their inverses."""
    return torch.tensor([1 / sum(1 / n for n in norms if n)], dtype=torch.float64)


def some(points: Tensor, values: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """At most so many rows, drawn with a fixed seed: every k-th would take the same columns of every row."""
    if len(points) <= most:
        return points, values
    draw = torch.Generator().manual_seed(0)
    kept = torch.randperm(len(points), generator=draw)[:most]
    return points[kept], values[kept]
