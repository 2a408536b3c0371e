"""The piece of a pixel's cone between two distances, as a Gaussian."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["conical_frustum"]


def conical_frustum(
    origin: Float[Tensor, "*#batch d"],
    direction: Float[Tensor, "*#batch d"],
    near: Float[Tensor, "*#batch"],
    far: Float[Tensor, "*#batch"],
    radius: Float[Tensor, "*#batch"],
    *,
    is_diagonal: bool = True,
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "..."]]:
    """Mean and covariance of points that fill a piece of a cone evenly, `origin + t direction` its axis.

    They are what `Integrated` takes. Along the axis `t` has the density `3 t^2 / (far^3 - near^3)`,
    across it the points fill a disc of radius `radius t`. The moments are written in the middle and
    the half width of `[near, far]`, with no difference of high powers, so thin pieces far away keep
    their digits in float32.

    Args:
        origin: The cone's tip.
        direction: Of its axis; of any length but zero.
        near: `t` where the piece begins, 0 or more.
        far: `t` where it ends, `near` or more.
        radius: Of the cone where `t = 1`; for a pixel `2 / sqrt(12)` of its width there.
        is_diagonal: Return the diagonal of the covariance `[..., d]` alone, which is all that axis-
            aligned frequencies (`NeRF`) see of it; else the matrix `[..., d, d]`.

    Returns:
        The mean `[..., d]`, in units of the coordinates, and the covariance, in squared units.

    Source: Barron et al. 2021 (arXiv:2103.13415), section 3.1 and appendix.

    Example:
        >>> tip, axis = torch.zeros(3), torch.tensor([0.0, 0.0, 1.0])
        >>> mean, variances = conical_frustum(tip, axis, *torch.tensor([1.0, 1.2, 0.01]))
        >>> mean
        tensor([0.0000, 0.0000, 1.1060])
    """
    middle, half = (near + far) / 2, (far - near) / 2
    # In [0, 1]; the smallest number stands for 0, where the piece is the tip alone.
    ratio = (half / middle.clamp_min(torch.finfo(middle.dtype).tiny)) ** 2
    below = 3 + ratio
    distance = middle * (1 + 2 * ratio / below)
    along = half**2 * (1 / 3 - 4 / 15 * ratio * (12 - ratio) / below**2)
    across = (radius * middle) ** 2 * (1 / 4 + 5 / 12 * ratio - 4 / 15 * ratio**2 / below)
    mean = origin + distance[..., None] * direction
    length = (direction**2).sum(-1, keepdim=True)
    along, across = along[..., None], across[..., None]
    if is_diagonal:
        square = direction**2
        return mean, along * square + across * (1 - square / length)
    square = direction[..., :, None] * direction[..., None, :]
    unit = torch.eye(direction.shape[-1], dtype=direction.dtype, device=direction.device)
    return mean, along[..., None] * square + across[..., None] * (unit - square / length[..., None])
