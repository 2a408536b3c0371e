"""Views of a scene: pictures with the cameras that took them, and what every reader of them checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.measurements import Camera
from ntkit.tasks.files.sampling import shrink

__all__ = ["VIEWS", "Views", "checked_views", "pose_of", "shrunk", "with_alpha"]

VIEWS = ("transforms_train.json", "transforms.json")
"""Of a folder's files, those that say where pictures were taken: Blender's (of NeRF's scenes) and nerfstudio's."""

_RIGID = 1e-3  # a pose's rotation may miss a true one by so much: files hold few digits


@dataclass(frozen=True, eq=False)
class Views:
    """Pictures of a scene, and where from.

    Attributes:
        images: `[h, w, 4]` each, float32, levels from 0 to 1: colours times alpha, and alpha.
        cameras: One a picture.
        held_out: Whether each judges, and is not trained on.
        bounds: Depths between which the scene is; None where the files do not say.
        notes: What was converted or assumed, in words.
        file_bytes: Size of what was read.
    """

    images: tuple[np.ndarray, ...]
    cameras: tuple[Camera, ...]
    held_out: tuple[bool, ...]
    bounds: tuple[float, float] | None
    notes: tuple[str, ...] = ()
    file_bytes: int = 0


def checked_views(path: Path, views: Views) -> Views:
    """The same, refused where nothing can be learned from them.

    Raises:
        ValueError: There are fewer than two to train on, or all are one colour.
    """
    trained = [im for im, out in zip(views.images, views.held_out, strict=True) if not out]
    if len(trained) < 2:
        raise ValueError(
            f"`{shown(path)}` has {'one view' if trained else 'no view'} to train on, and a scene needs two or more."
        )
    if max(float(np.ptp(image.reshape(-1, 4), 0).max()) for image in trained) == 0:
        raise ValueError(
            f"`{shown(path)}` has views of one constant colour: there is nothing to see."
        )
    return views


def pose_of(where: str, matrix: Any) -> tuple[tuple[float, ...], ...]:
    """The first three rows of a pose, from the camera to the scene.

    Args:
        where: What it is the pose of, for messages.
        matrix: Four rows (or three) of four numbers.

    Raises:
        ValueError: It is missing or no matrix, not finite, or its rotation is none.
    """
    if matrix is None:
        raise ValueError(f"{where} has no pose: `transform_matrix` is missing.")
    try:
        found = np.asarray(matrix, np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape not in {(4, 4), (3, 4)} or not np.isfinite(found).all():
        raise ValueError(f"{where} has a pose that is not 4 rows of 4 finite numbers.")
    rotation = found[:3, :3]
    last = found[3] if len(found) == 4 else np.array([0, 0, 0, 1.0])
    strays = abs(rotation.T @ rotation - np.eye(3)).max()
    if strays > _RIGID or np.linalg.det(rotation) < 0 or abs(last - [0, 0, 0, 1]).max() > _RIGID:
        raise ValueError(
            f"{where} has a pose that is not rigid: its first three columns must be a rotation, and its last row "
            "0, 0, 0, 1. Take scale and shear out."
        )
    return tuple(tuple(float(v) for v in row) for row in found[:3])


def shrunk(
    images: Sequence[np.ndarray], cameras: Sequence[Camera], downscale: int
) -> tuple[tuple[np.ndarray, ...], tuple[Camera, ...]]:
    """Smaller pictures, by means over boxes, and their cameras; what is left over at an end is cut."""
    if downscale == 1:
        return tuple(images), tuple(cameras)
    small = [shrink(image, range(2), downscale).astype(np.float32) for image in images]
    seen = [
        Camera(
            camera.pose,
            (camera.focal[0] / downscale, camera.focal[1] / downscale),
            (camera.centre[0] / downscale, camera.centre[1] / downscale),
            image.shape[:2],
        )
        for image, camera in zip(small, cameras, strict=True)
    ]
    return tuple(small), tuple(seen)


def with_alpha(levels: np.ndarray, premultiplied: bool) -> np.ndarray:
    """`[h, w, 4]`, float32, colours times alpha, from `[h, w]` or `[h, w, 1 to 4]` of bytes, 16 bits or [0, 1].

    Raises:
        ValueError: There are other channels.
    """
    top = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(levels.dtype, 1.0)
    found = levels[..., None] if levels.ndim == 2 else levels
    channels = found.shape[-1]
    if found.ndim != 3 or channels not in {1, 2, 3, 4}:
        raise ValueError(f"a picture has shape {levels.shape}: gray, RGB or RGBA is needed.")
    found = found.astype(np.float32) / np.float32(top)
    has_alpha = channels in {2, 4}
    alpha = found[..., -1:] if has_alpha else np.ones_like(found[..., :1])
    colours = found[..., :-1] if has_alpha else found
    colours = np.broadcast_to(colours, (*found.shape[:2], 3))
    return np.concatenate([colours if premultiplied else colours * alpha, alpha], -1)
