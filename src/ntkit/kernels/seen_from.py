"""A kernel as a picture: how much each point of a grid learns of what is learned at one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive
from ntkit.grids import Grid
from ntkit.kernels.infinite import InfiniteKernel

__all__ = ["Profile", "profile_of", "seen_from"]


@dataclass(frozen=True)
class Profile:
    """What a cut through a kernel looks like, from one point outwards.

    Attributes:
        floor: The lowest value.
        width: Full width at half of the fall from the peak to the floor, in samples.
        lobe: The highest value behind a first minimum on either side, as a share of the fall, 0 at the floor and
            1 at the peak; 0 where it only falls.
        lobe_at: How far from the point that is, in samples; 0 where there is none.

    Example:
        >>> import torch
        >>> from ntkit.kernels import profile_of
        >>> profile_of(torch.tensor([0.0, 0.5, 1.0, 0.5, 0.0]), 2).width
        2.0
    """

    floor: float
    width: float
    lobe: float
    lobe_at: int


def seen_from(
    kernel: InfiniteKernel, grid: Grid, at: Sequence[int], *, stretch: float = 1.0
) -> Float[Tensor, "..."]:
    """The kernel between one point of a grid and all of them, over its value at that point: 1 there.

    By gradient flow, an error at that point moves the function at the others in this proportion.

    Args:
        kernel: The tangent kernel of a network.
        grid: The points.
        at: The index of one of them, along each axis.
        stretch: What the frequencies of a stationary encoding are multiplied by: one kernel then serves
            all bandwidths, without a network for each.

    Raises:
        ValueError: There is no such point, or frequencies are to be stretched that are not there.

    Cost: of a stationary kernel a table of lags, of others one row of the Gram matrix.

    Example:
        >>> from ntkit import encodings, networks, ntk
        >>> network = networks.mlp(encodings.Gaussian(2, 64, bandwidth=4.0), 1, width=64, depth=2)
        >>> seen = seen_from(ntk(network, variances="default"), Grid((8, 8)), (3, 5))
        >>> seen.shape, round(float(seen[3, 5]), 6), bool((seen <= 1).all())
        (torch.Size([8, 8]), 1.0, True)
    """
    if len(at) != len(grid.shape) or not all(
        0 <= i < n for i, n in zip(at, grid.shape, strict=True)
    ):
        raise ValueError(f"`at={tuple(at)}` is no point of a grid of {tuple(grid.shape)}.")
    stretch = positive("stretch", stretch)
    if kernel.is_stationary:
        lags = [
            stretch * (axis.double() - axis[i].double())
            for axis, i in zip(grid.axes(), at, strict=True)
        ]
        table = kernel.lag_table(lags)
        return table / table[tuple(at)]
    if stretch != 1:
        raise ValueError(
            f"`stretch={stretch:g}` is of the frequencies of a stationary encoding, and this network has none. "
            "Leave it out."
        )
    points = grid.points().double()
    flat = int(torch.arange(len(points)).reshape(grid.shape)[tuple(at)])
    here = points[flat : flat + 1]
    return (kernel(here, points)[0] / kernel.diag(here)).reshape(grid.shape)


def profile_of(values: Float[Tensor, " n"], at: int) -> Profile:
    """Width and side lobes of a cut that has its peak at one of its samples.

    Args:
        values: Along a line.
        at: Where the peak is.

    Raises:
        ValueError: The samples are all alike, or there is none of this index.

    Example:
        >>> profile_of(torch.tensor([0.0, 0.25, 0.1, 0.5, 1.0, 0.5, 0.0]), 4)
        Profile(floor=0.0, width=2.0, lobe=0.25, lobe_at=3)
    """
    if not 0 <= at < len(values):
        raise ValueError(f"`at={at}` is none of {len(values)} samples.")
    numbers = values.double().tolist()
    floor, fall = min(numbers), numbers[at] - min(numbers)
    if fall <= 0:
        raise ValueError("`values` do not fall from their peak: there is no width.")
    shares = [(v - floor) / fall for v in numbers]
    sides = shares[at::-1], shares[at:]
    lobe, lobe_at = max((_lobe(side) for side in sides), key=lambda found: found[0])
    return Profile(floor, sum(_half(side) for side in sides), round(lobe, 9), lobe_at)


def _half(side: Sequence[float]) -> float:
    """Where a side that begins at 1 has fallen to a half, between samples by a line; its length where it has not."""
    for i, (before, after) in enumerate(pairwise(side)):
        if after <= 0.5 < before:
            return i + (before - 0.5) / (before - after)
    return float(len(side) - 1)


def _lobe(side: Sequence[float]) -> tuple[float, int]:
    """The highest value behind the first minimum, and where."""
    first = next((i for i in range(1, len(side) - 1) if side[i + 1] > side[i]), None)
    if first is None:
        return 0.0, 0
    top = max(range(first + 1, len(side)), key=lambda i: side[i])
    return side[top], top
