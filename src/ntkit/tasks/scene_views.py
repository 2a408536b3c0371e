"""Pictures of a network, from any camera."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.devices import device_of
from ntkit.measurements import Camera
from ntkit.tasks.domain import Domain
from ntkit.tasks.marching import march
from ntkit.tasks.scene import Scene

__all__ = ["cut", "picture"]


def picture(
    network: nn.Module, scene: Scene, camera: Camera, *, depth: bool
) -> Float[Tensor, "h w c"]:
    """What a camera sees, float64, on the CPU; depths are 1 at the near end and 0 at the far one."""
    rows = scene.rays(camera).rows().to(device_of(network))
    with torch.no_grad():
        seen = march(network, scene, rows)
    found = seen.colour
    if depth:
        found = ((scene.far - seen.depth) / (scene.far - scene.near))[:, None]
    return found.cpu().double().reshape(*camera.size, -1)


def cut(camera: Camera, plane: Domain) -> Camera:
    """The part of a view that a resampled plane of pixels is."""
    (top, bottom), (left, right) = plane.window
    height, width = plane.shape
    y, x = height / (bottom - top), width / (right - left)
    focal = camera.focal[0] * x, camera.focal[1] * y
    return Camera(
        camera.pose,
        focal,
        ((camera.centre[0] - left) * x, (camera.centre[1] - top) * y),
        (height, width),
    )
