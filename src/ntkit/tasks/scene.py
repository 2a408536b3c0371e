"""The box that a radiance field is in, how rays are marched through it, and where it is looked at from."""

import base64
import zlib
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from math import cos, pi, sin
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from ntkit.measurements import Camera, Rays, camera_rays

__all__ = ["Scene", "packed", "unpacked"]


@dataclass(frozen=True)
class Scene:
    """A cube of space, which is [0, 1]^3 for the network, and how it is rendered.

    Attributes:
        low: The cube's corner, in units of the scene.
        side: Its side; one factor for all axes.
        near: Depth where rays begin, in units of the scene.
        far: Where they end.
        camera: From where a rendering looks, if nothing else is asked.
        orbit: Of a turntable: distance from the cube's middle along the axis, radius of the circle, in the scene's units.
        up: The turntable's axis.
        background: Colour behind everything.
        n_samples: Pieces of a ray.
        n_fine: Cuts more, where the first rendering says that something is (hierarchical sampling).
        view_directions: Whether the network takes the viewing direction as well, `(d + 1) / 2` of a unit vector `d`.
        cones: Whether a pixel is a cone, and each piece of it a Gaussian (mip-NeRF).
        possible: Where in the cube anything may be, by the silhouettes of the views: packed cells, see `packed`.
    """

    low: tuple[float, ...]
    side: float
    near: float
    far: float
    camera: Camera
    orbit: tuple[float, float] = (0.0, 1.0)
    up: tuple[float, ...] = (0.0, 0.0, 1.0)
    background: tuple[float, ...] = (1.0, 1.0, 1.0)
    n_samples: int = 128
    n_fine: int = 0
    view_directions: bool = False
    cones: bool = False
    possible: str = ""

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Scene":
        """Of a run's JSON."""
        return cls(**{**found, "camera": Camera(**found["camera"])})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def rays(self, camera: Camera) -> Rays:
        """Through all pixels of a camera, in the network's coordinates."""
        return camera_rays(camera, self.near, self.far, low=self.low, side=self.side)

    def around(self) -> "Scene":
        """The same with depths that hold all of the cube for the cameras of a turntable."""
        distance, reach = float(np.hypot(*self.orbit)), self.side * 3**0.5 / 2
        return replace(self, near=max(distance - reach, 0.01 * self.side), far=distance + reach)

    def turned(self, turn: float, height: int, width: int) -> Camera:
        """The camera of a turntable, which looks at the cube's middle.

        Args:
            turn: How far round, in turns.
            height: Pixels.
            width: Pixels.
        """
        up = np.array(self.up)
        one = np.cross(up, np.eye(3)[int(abs(up).argmin())])
        one /= np.linalg.norm(one)
        side = cos(2 * pi * turn) * one + sin(2 * pi * turn) * np.cross(up, one)
        middle = np.array(self.low) + self.side / 2
        back = self.orbit[0] * up + self.orbit[1] * side
        pose = looking(middle + back, middle, up)
        return Camera(pose, self.camera.focal, self.camera.centre, self.camera.size).resized(
            height, width
        )


def looking(place: np.ndarray, at: np.ndarray, up: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """The pose of a camera at a place that looks at another."""
    back = (place - at) / np.linalg.norm(place - at)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(back, right), back, place], 1)
    return tuple(tuple(float(v) for v in row) for row in rows)


def packed(cells: Bool[Tensor, "r r r"]) -> str:
    """Cells of a cube as text: bits, compressed, in base 64, behind their number along an axis.

    Example:
        >>> cells = torch.arange(8).reshape(2, 2, 2) > 4
        >>> bool((unpacked(packed(cells)) == cells).all())
        True
    """
    bits = np.packbits(cells.numpy().reshape(-1))
    return f"{len(cells)}:{base64.b64encode(zlib.compress(bits.tobytes(), 9)).decode()}"


@lru_cache(maxsize=8)
def unpacked(text: str) -> Bool[Tensor, "r r r"]:
    """The cells that `packed` made a text of.

    Raises:
        ValueError: It is no such text.
    """
    size, _, code = text.partition(":")
    try:
        r = int(size)
        bits = np.frombuffer(zlib.decompress(base64.b64decode(code)), np.uint8)
        return torch.from_numpy(np.unpackbits(bits)[: r**3].astype(bool)).reshape(r, r, r)
    except (ValueError, zlib.error, RuntimeError) as error:
        raise ValueError(f"`possible` of the scene is damaged: {error}.") from None
