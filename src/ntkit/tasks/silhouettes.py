"""Where in a box anything may be: what all silhouettes of a scene have in common."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from ntkit.measurements import Camera

__all__ = ["possible_cells"]


def possible_cells(
    alphas: Sequence[np.ndarray],
    cameras: Sequence[Camera],
    low: Sequence[float],
    side: float,
    resolution: int,
) -> Bool[Tensor, "r r r"] | None:
    """Cells of a cube that every view which sees them sees something in (the visual hull); None without silhouettes.

    A cell is kept wherever a pixel within its projection, a pixel wider to all sides, has any alpha: it errs on the
    side of keeping. What fewer than half of the views see is taken to be outside of the scene.

    Args:
        alphas: `[h, w]` of each view, from 0 to 1.
        cameras: Of each.
        low: The cube's corner.
        side: Its side.
        resolution: Cells along each axis.

    Source: Laurentini 1994 (The visual hull concept for silhouette-based image understanding).
    """
    if not all((alpha == 0).any() for alpha in alphas):
        return None
    steps = (torch.arange(resolution, dtype=torch.float64) + 0.5) / resolution
    grid = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    points = torch.tensor(list(low), dtype=torch.float64) + side * grid
    reach = side / resolution * 3**0.5 / 2  # from a cell's middle to its corners
    left, views = torch.arange(len(points)), torch.zeros(len(points), dtype=torch.int64)
    for alpha, camera in zip(alphas, cameras, strict=True):
        seen, full = _projected(points[left], reach, alpha, camera)
        views[left] += seen
        left = left[full | ~seen]
    found = torch.zeros(len(points), dtype=torch.bool)
    found[left] = True
    return (found & (2 * views >= len(alphas))).reshape(resolution, resolution, resolution)


def _projected(
    points: Tensor, reach: float, alpha: np.ndarray, camera: Camera
) -> tuple[Tensor, Tensor]:
    """Which points are wholly in a picture, and which have something in their projection."""
    pose = torch.tensor(camera.pose, dtype=torch.float64)
    own = (points - pose[:, 3]) @ pose[:, :3]
    depth = -own[:, 2]
    nearest = (depth - reach).clamp_min(1e-9)
    x = camera.focal[0] * own[:, 0] / depth.clamp_min(1e-9) + camera.centre[0]
    y = -camera.focal[1] * own[:, 1] / depth.clamp_min(1e-9) + camera.centre[1]
    # A ball off the axis is seen as an ellipse, which is longer by at most the ray's length for a depth of 1.
    longer = (own.norm(dim=1) / depth.clamp_min(1e-9)).clamp_max(1e3)
    wide = [reach * f / nearest * longer + 1 for f in camera.focal]
    height, width = camera.size
    left, right = (x - wide[0]).floor(), (x + wide[0]).ceil()
    top, bottom = (y - wide[1]).floor(), (y + wide[1]).ceil()
    seen = (depth > 2 * reach) & (left >= 0) & (top >= 0) & (right <= width) & (bottom <= height)
    # How many pixels with alpha a rectangle has: four look-ups in the table of sums from the corner.
    sums = torch.zeros(height + 1, width + 1, dtype=torch.int64)
    sums[1:, 1:] = torch.from_numpy(alpha > 0).long().cumsum(0).cumsum(1)
    x0, x1 = (edge.clamp(0, width).long() for edge in (left, right))
    y0, y1 = (edge.clamp(0, height).long() for edge in (top, bottom))
    return seen, sums[y1, x1] - sums[y0, x1] - sums[y1, x0] + sums[y0, x0] > 0
