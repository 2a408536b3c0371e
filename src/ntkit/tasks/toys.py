"""Small data to show an idea with."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import non_negative, positive_int, random_source

__all__ = ["circles", "lifted"]

_INSIDE, _AROUND = 0.35, 0.95
"""Radii of the disc and of the ring around it."""


def circles(
    n: int, *, noise: float = 0.09, generator: torch.Generator | None = None
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """A disc and a ring around it, which no line separates, in turns: points, and labels 1 and -1.

    Args:
        n: Number of points.
        noise: Standard deviation of the distance from the centre, about 0.35 and 0.95.
        generator: Source of the draw.

    Returns:
        Points `[n, 2]` and labels `[n]`, in float64.

    Example:
        >>> points, labels = circles(40, noise=0.0)
        >>> bool(((points**2).sum(1) < 0.4).equal(labels > 0))
        True
    """
    n, noise = positive_int("n", n), non_negative("noise", noise)
    inside = torch.arange(n) % 2 == 0
    radius = torch.where(inside, _INSIDE, _AROUND) + noise * torch.randn(
        n, generator=random_source(generator)
    )
    angle = 2 * torch.pi * torch.rand(n, generator=generator)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    return points.double(), torch.where(inside, 1.0, -1.0).double()


def lifted(points: Float[Tensor, "n 2"], height: float = 1.0) -> Float[Tensor, "n 3"]:
    """Points of the plane on a paraboloid: `height * |x|^2` is their third coordinate.

    A plane through it cuts out a disc, so that circles become separable by a plane.

    Args:
        points: In the plane.
        height: Of the points at distance 1 from the centre.

    Example:
        >>> lifted(torch.tensor([[0.0, 2.0], [1.0, 1.0]]), 0.5)
        tensor([[0., 2., 2.],
                [1., 1., 1.]])
    """
    return torch.cat([points, height * (points**2).sum(1, keepdim=True)], 1)
