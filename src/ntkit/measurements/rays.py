"""Rays through the pixels of pinhole cameras, and where they run through a box."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Camera", "Rays", "camera_rays", "clip_to_unit_box"]

_DISC = 2 / 12**0.5
"""Of a pixel's width: a disc of the same variance as the pixel (mip-NeRF, section 3.1)."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera in the convention of OpenGL, Blender and NeRF: x is right, y up, and it looks along -z.

    Attributes:
        pose: Three rows of four numbers, from the camera to the scene: a rotation, then the camera's place.
        focal: Focal lengths along x and y, in pixels.
        centre: Where the optical axis meets the picture: pixels from its left and upper border.
        size: Height and width, in pixels.

    Example:
        >>> pose = ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 4))  # four units up the z axis, looking down
        >>> camera = Camera(pose, focal=(16, 16), centre=(4, 4), size=(8, 8))
        >>> camera.size
        (8, 8)
    """

    pose: tuple[tuple[float, ...], ...]
    focal: tuple[float, float]
    centre: tuple[float, float]
    size: tuple[int, int]

    def resized(self, height: int, width: int) -> "Camera":
        """The same view with other pixels."""
        y, x = height / self.size[0], width / self.size[1]
        return Camera(
            self.pose,
            (self.focal[0] * x, self.focal[1] * y),
            (self.centre[0] * x, self.centre[1] * y),
            (height, width),
        )


class Rays(NamedTuple):
    """Rays `origin + t direction`, as columns of a table `[n, 9]` in this order.

    Attributes:
        origin: `[n, 3]`, the camera's place.
        direction: `[n, 3]`; its part along the optical axis is 1, so that `t` is the depth.
        radius: `[n]`, of the pixel's cone where `t = 1`: that of the disc with a pixel's variance.
        near: `[n]`, the depth where it begins.
        far: `[n]`, where it ends.

    Example:
        >>> import torch
        >>> one = torch.ones(1, 1)
        >>> down = Rays(torch.tensor([[0.5, 0.5, 3.0]]), torch.tensor([[0.0, 0.0, -1.0]]), 0 * one, 2 * one, 3 * one)
        >>> (down.origin + down.near * down.direction).tolist()
        [[0.5, 0.5, 1.0]]
    """

    origin: Tensor
    direction: Tensor
    radius: Tensor
    near: Tensor
    far: Tensor

    @classmethod
    def of_rows(cls, rows: Float[Tensor, "n 9"]) -> "Rays":
        """The columns of a table.

        Raises:
            ValueError: It has not nine columns.
        """
        if rows.ndim != 2 or rows.shape[1] != 9:
            raise ValueError(
                f"`rows` has shape {tuple(rows.shape)}; rays are rows of nine numbers: origin (3), direction (3), "
                "radius, near and far."
            )
        return cls(rows[:, :3], rows[:, 3:6], rows[:, 6], rows[:, 7], rows[:, 8])

    def rows(self) -> Float[Tensor, "n 9"]:
        """The table."""
        numbers = torch.stack([self.radius, self.near, self.far], 1)
        return torch.cat([self.origin, self.direction, numbers], 1)

    @property
    def length(self) -> Float[Tensor, " n"]:
        """Of the direction: distance in space for a depth of 1."""
        return self.direction.norm(dim=1)


def camera_rays(
    camera: Camera,
    near: float,
    far: float,
    *,
    low: tuple[float, ...] = (0.0,) * 3,
    side: float = 1.0,
) -> Rays:
    """Rays through the centres of all pixels, row by row, in float32.

    Pixel `(i, j)` has its centre at `(i + 1/2, j + 1/2)` pixels from the upper left corner.

    Args:
        camera: Where from.
        near: Depth where rays begin, in units of the scene.
        far: Where they end.
        low: The scene's point that is the origin of the rays' coordinates.
        side: The length in the scene that is 1 in the rays' coordinates; depths stay in units of the scene.

    Example:
        >>> level = Camera(((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 4)), (2, 2), (1, 1), (2, 2))
        >>> camera_rays(level, 2, 6).direction[0]
        tensor([-0.2500,  0.2500, -1.0000])
    """
    pose = torch.tensor(camera.pose, dtype=torch.float64)
    height, width = camera.size
    y = -(torch.arange(height, dtype=torch.float64) + 0.5 - camera.centre[1]) / camera.focal[1]
    x = (torch.arange(width, dtype=torch.float64) + 0.5 - camera.centre[0]) / camera.focal[0]
    y, x = torch.meshgrid(y, x, indexing="ij")
    own = torch.stack([x, y, -torch.ones_like(x)], -1).reshape(-1, 3)
    n = len(own)
    origin = (pose[:, 3] - torch.tensor(low, dtype=torch.float64)) / side
    radius = _DISC / (camera.focal[0] * camera.focal[1]) ** 0.5 / side
    return Rays(
        origin.float().expand(n, 3),
        (own @ pose[:, :3].T / side).float(),
        torch.full((n,), radius),
        torch.full((n,), float(near)),
        torch.full((n,), float(far)),
    )


def clip_to_unit_box(rays: Rays) -> Rays:
    """The part of each ray inside of `[0, 1]^3`; where there is none, it ends where it begins.

    Example:
        >>> import torch
        >>> one = torch.ones(1, 1)
        >>> down = Rays(torch.tensor([[0.5, 0.5, 3.0]]), torch.tensor([[0.0, 0.0, -1.0]]), 0 * one, 0 * one, 9 * one)
        >>> inside = clip_to_unit_box(down)
        >>> float(inside.near), float(inside.far)
        (2.0, 3.0)
    """
    # A direction of 0 along an axis gives infinities, of which the larger and the smaller decide nothing.
    inverse = 1 / torch.where(rays.direction == 0, 1e-20, rays.direction)
    first, second = -rays.origin * inverse, (1 - rays.origin) * inverse
    near = torch.maximum(rays.near, torch.minimum(first, second).amax(1))
    far = torch.minimum(rays.far, torch.maximum(first, second).amin(1))
    near = torch.minimum(near, rays.far)
    return rays._replace(near=near, far=torch.maximum(near, far))
