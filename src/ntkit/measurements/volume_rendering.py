"""What a camera sees of a density and a colour in space: absorption and emission along rays."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Seen", "Strata", "composite", "importance", "stratified", "widened"]

_FLOOR = 1e-5
"""Added to weights, so that rays that hit nothing have a distribution to draw from as well."""


class Strata(NamedTuple):
    """A ray cut into pieces, with a point in each.

    Attributes:
        edges: `[n, s + 1]`, depths where pieces begin and end.
        points: `[n, s]`, a depth in each.

    Example:
        >>> import torch
        >>> from ntkit.measurements import stratified
        >>> stratified(torch.zeros(1), torch.ones(1), 2).edges
        tensor([[0.0000, 0.5000, 1.0000]])
    """

    edges: Tensor
    points: Tensor

    @property
    def lengths(self) -> Float[Tensor, "n s"]:
        """Of the pieces."""
        return self.edges.diff(dim=1)


class Seen(NamedTuple):
    """What rays see.

    Attributes:
        colour: `[n, c]`, over the background.
        depth: `[n]`, mean depth of what is seen; the background counts as the ray's end.
        opacity: `[n]`, how much of the light is of the scene and not of the background, in [0, 1].
        weights: `[n, s]`, the share of each piece; they sum to the opacity.

    Example:
        >>> import torch
        >>> seen = Seen(torch.ones(1, 3), torch.tensor([2.0]), torch.tensor([1.0]), torch.ones(1, 4) / 4)
        >>> float(seen.depth)
        2.0
    """

    colour: Tensor
    depth: Tensor
    opacity: Tensor
    weights: Tensor


def stratified(
    near: Float[Tensor, " n"],
    far: Float[Tensor, " n"],
    count: int,
    generator: torch.Generator | None = None,
) -> Strata:
    """Equal pieces of `[near, far]`, and in each its middle, or a point drawn evenly.

    A drawn point stands for its whole piece, so optical depths are right in the mean. (NeRF, eq. 2, draws
    likewise, but takes the distance to the next drawn point for the length.)

    Args:
        near: Depth where each ray begins.
        far: Where it ends.
        count: Pieces.
        generator: Source of the points, on the CPU; the middles if left out.

    Example:
        >>> stratified(torch.zeros(1), torch.ones(1), 2).points
        tensor([[0.2500, 0.7500]])
    """
    steps = torch.linspace(0, 1, count + 1, dtype=near.dtype, device=near.device)
    edges = near[:, None] + (far - near)[:, None] * steps
    return Strata(edges, _inside(edges, generator))


def importance(
    edges: Float[Tensor, "n e"],
    weights: Float[Tensor, "n s"],
    count: int,
    generator: torch.Generator | None = None,
) -> Strata:
    """The pieces of before, cut further at `count` depths that are drawn where the weights are.

    Depths have the density `weights / sum(weights)`, spread evenly in each piece; without a generator they are
    its quantiles. The points are then as those of `stratified`.

    Args:
        edges: Of the pieces before.
        weights: Of each, 0 or more: those of a first rendering.
        count: Cuts more.
        generator: Source of the cuts and points, on the CPU.

    Source: Mildenhall et al. 2020 (arXiv:2003.08934), section 5.2; cuts in place of points as in
    Barron et al. 2021 (arXiv:2103.13415), section 3.3.

    Example:
        >>> edges, weights = torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.0, 1.0]])
        >>> finer = importance(edges, weights, 4)
        >>> bool((finer.edges[0] > 0.5).sum() >= 4)  # cut where the weight is
        True
    """
    share = weights.detach() + _FLOOR
    total = torch.cat([torch.zeros_like(share[:, :1]), share.cumsum(1)], 1)
    total = total / total[:, -1:]
    if generator is None:
        level = (torch.arange(count, dtype=edges.dtype, device=edges.device) + 0.5) / count
        level = level.expand(len(edges), count)
    else:
        level = torch.rand(len(edges), count, generator=generator, dtype=edges.dtype).to(
            edges.device
        )
    upper = torch.searchsorted(total, level.contiguous(), right=True).clamp(1, edges.shape[1] - 1)
    low, high = total.gather(1, upper - 1), total.gather(1, upper)
    part = ((level - low) / (high - low).clamp_min(torch.finfo(edges.dtype).tiny)).clamp(0, 1)
    cuts = edges.gather(1, upper - 1).lerp(edges.gather(1, upper), part)
    finer = torch.cat([edges, cuts], 1).sort(1).values
    return Strata(finer, _inside(finer, generator))


def widened(weights: Float[Tensor, "n s"]) -> Float[Tensor, "n s"]:
    """Weights that reach half into the pieces next to them: where a surface begins, the piece before it may hold it.

    Source: Barron et al. 2021 (arXiv:2103.13415), eq. 18, without its constant.

    Example:
        >>> widened(torch.tensor([[0.0, 1.0, 0.0]])).shape
        torch.Size([1, 3])
    """
    padded = nn.functional.pad(weights, (1, 1))
    larger = torch.maximum(padded[:, :-1], padded[:, 1:])
    return (larger[:, :-1] + larger[:, 1:]) / 2


def composite(
    density: Float[Tensor, "n s"],
    colour: Float[Tensor, "n s c"],
    strata: Strata,
    *,
    length: Float[Tensor, " #n"],
    background: Float[Tensor, " c"],
) -> Seen:
    """Colours along rays, from front to back: `w_i = exp(-sum_{j<i} s_j d_j) (1 - exp(-s_i d_i))`.

    Args:
        density: `s`, per unit of length, 0 or more.
        colour: Of each piece.
        strata: The pieces.
        length: In space, of a depth of 1, ray by ray: `Rays.length`.
        background: What is seen where nothing is.

    Source: Max 1995 (Optical models for direct volume rendering), eq. 5 and 9; Mildenhall et al. 2020
    (arXiv:2003.08934), eq. 3.

    Example:
        >>> fog, white = torch.full((1, 4), 2.0), torch.ones(3)
        >>> pieces = stratified(torch.zeros(1), torch.ones(1), 4)
        >>> seen = composite(fog, torch.zeros(1, 4, 3), pieces, length=torch.ones(1), background=white)
        >>> torch.allclose(seen.colour, torch.exp(torch.tensor(-2.0)) * white)
        True
    """
    optical = density * strata.lengths * length[:, None]
    before = nn.functional.pad(optical[:, :-1].cumsum(1), (1, 0))
    weights = torch.exp(-before) * -torch.expm1(-optical)
    opacity = -torch.expm1(-optical.sum(1))
    rest = 1 - opacity
    seen = torch.einsum("ns,nsc->nc", weights, colour) + rest[:, None] * background
    depth = (weights * strata.points).sum(1) + rest * strata.edges[:, -1]
    return Seen(seen, depth, opacity, weights)


def _inside(edges: Tensor, generator: torch.Generator | None) -> Tensor:
    """A point in each piece."""
    if generator is None:
        return (edges[:, :-1] + edges[:, 1:]) / 2
    part = torch.rand(len(edges), edges.shape[1] - 1, generator=generator, dtype=edges.dtype)
    return edges[:, :-1].lerp(edges[:, 1:], part.to(edges.device))
