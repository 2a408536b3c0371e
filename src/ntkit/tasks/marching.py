"""What a network says of density and colour, seen along rays."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.chunk_sizes import NETWORK_ROWS
from ntkit.measurements import (
    OccupancyGrid,
    Rays,
    Seen,
    Strata,
    clip_to_unit_box,
    composite,
    importance,
    stratified,
    widened,
)
from ntkit.tasks.cones import on_cones
from ntkit.tasks.scene import Scene, unpacked

__all__ = ["DENSITY", "march"]

DENSITY, SHIFT = 100.0, 4.0
"""Of `DENSITY * softplus(y - SHIFT)`, per side of the box: an untrained network is a thin mist.

Rays then see through all of the box from the start. What begins as fog stays: its front alone is seen, and learned.
"""


def march(
    network: nn.Module,
    scene: Scene,
    rows: Float[Tensor, "n 9"],
    generator: torch.Generator | None = None,
    *,
    grid: OccupancyGrid | None = None,
) -> Seen:
    """Colour, depth and opacity of rays.

    The network's first output becomes a density by `100 softplus(y - 4)` per side of the box, the others colours by a
    sigmoid. Where the scene's silhouettes or the grid say that nothing is, it is not asked.

    Args:
        network: `[n, 3]` points (and `[n, 3]` directions) to `[n, 1 + channels]`.
        scene: The box, and how it is rendered.
        rows: Rays, see `Rays`.
        generator: Source of points along the rays, in training; the middles of pieces if left out.
        grid: Of a training: where anything may be. It looks at the network itself now and then.
    """
    field = _Field(network, scene)
    if generator is not None:
        if grid is not None:
            grid.step(lambda points: field.density(points, generator), generator)
        return field.marched(rows, generator, grid)
    if torch.is_grad_enabled():
        return field.marched(rows, None, grid)
    per_ray = scene.n_samples + scene.n_fine
    at_once = max(1, NETWORK_ROWS.on(rows.device) // per_ray)
    parts = [field.marched(r, None, grid) for r in rows.split(at_once)]
    return Seen(*(torch.cat(column) for column in zip(*parts, strict=True)))


class _Field:
    """A network as density and colour in the unit box, empty where that is known."""

    def __init__(self, network: nn.Module, scene: Scene) -> None:
        self.network, self.scene = network, scene
        self.possible = unpacked(scene.possible) if scene.possible else None
        self.cones = on_cones(network, scene.view_directions) if scene.cones else None

    def marched(
        self, rows: Tensor, generator: torch.Generator | None, grid: OccupancyGrid | None
    ) -> Seen:
        """Rays through it, twice where there are cuts more."""
        rays = clip_to_unit_box(Rays.of_rows(rows))
        strata = stratified(rays.near, rays.far, self.scene.n_samples, generator)
        if self.scene.n_fine:
            with torch.no_grad():
                weights = widened(self.seen(rays, strata, grid).weights)
            strata = importance(strata.edges, weights, self.scene.n_fine, generator)
        seen = self.seen(rays, strata, grid)
        # What is seen through the box is as far away as the ray goes, not as the box does.
        behind = (1 - seen.opacity) * (rows[:, 8] - strata.edges[:, -1])
        return seen._replace(depth=seen.depth + behind)

    def density(self, points: Tensor, generator: torch.Generator) -> Tensor:
        """At points, `[n]`; where the network asks for a direction, from any side."""
        if self.scene.view_directions:
            any_side = torch.randn(points.shape, generator=generator).to(points)
            points = torch.cat([points, _as_points(any_side)], 1)
        return _density(self.network(points)[:, 0])

    def seen(self, rays: Rays, strata: Strata, grid: OccupancyGrid | None) -> Seen:
        """Rays through it, cut into pieces."""
        at = rays.origin[:, None] + strata.points[..., None] * rays.direction[:, None]
        asked = (strata.lengths > 0).flatten()
        points = at.reshape(-1, 3)
        for known in (self.possible, grid):
            if known is not None:
                asked &= _holds(known, points)
        places = asked.nonzero()[:, 0]
        found = self._asked(rays, strata, points, places)
        n, s = strata.points.shape
        density = found.new_zeros(n * s).index_put((places,), _density(found[:, 0]))
        colour = found.new_zeros(n * s, found.shape[1] - 1)
        colour = colour.index_put((places,), found[:, 1:].sigmoid())
        return composite(
            density.reshape(n, s),
            colour.reshape(n, s, -1),
            strata,
            length=rays.length,
            background=torch.tensor(self.scene.background).to(found),
        )

    def _asked(self, rays: Rays, strata: Strata, points: Tensor, places: Tensor) -> Tensor:
        """What the network says at some of the points.

        Raises:
            ValueError: It has fewer than two outputs.
        """
        ray = places // strata.points.shape[1]
        turned = _as_points(rays.direction[ray]) if self.scene.view_directions else None
        if self.cones is None:
            at = points[places]
            found = self.network(at if turned is None else torch.cat([at, turned], 1))
        else:
            near, far = (e.reshape(-1)[places] for e in (strata.edges[:, :-1], strata.edges[:, 1:]))
            found = self.cones(Rays(*(column[ray] for column in rays)), near, far, turned)
        if found.ndim != 2 or found.shape[1] < 2:
            raise ValueError(
                f"`network(points)` has shape {tuple(found.shape)}; density and colour [n, 4] are needed."
            )
        return found


def _density(output: Tensor) -> Tensor:
    return DENSITY * nn.functional.softplus(output - SHIFT)


def _as_points(directions: Tensor) -> Tensor:
    """Directions of any length as points of a sphere in `[0, 1]^3`."""
    return (nn.functional.normalize(directions, dim=-1) + 1) / 2


def _holds(grid: Tensor | OccupancyGrid, points: Tensor) -> Tensor:
    if isinstance(grid, OccupancyGrid):
        return grid(points)
    r = len(grid)
    at = (points * r).long().clamp_(0, r - 1)
    return grid.to(points.device).flatten()[(at[:, 0] * r + at[:, 1]) * r + at[:, 2]]
