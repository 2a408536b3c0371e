"""From views to the box that their scene is in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ntkit.measurements import clip_to_unit_box
from ntkit.tasks.files.views import Views
from ntkit.tasks.scene import Scene, packed
from ntkit.tasks.scene_options import ordered
from ntkit.tasks.silhouettes import possible_cells

__all__ = ["scene_of"]

_CELLS = 64
"""Along each axis: the box is good to 2 % of its first side, and the cells are 2 MB."""


def scene_of(
    views: Views,
    *,
    near: float | None,
    far: float | None,
    box: Sequence[float] | None,
    silhouettes: bool,
) -> Scene:
    """The scene of views: its box, where rays begin and end, and a turntable.

    The cameras look at one place: the point nearest to all optical axes. The box is a cube about it, as wide as
    from `near` to `far`; where these are unknown, half of the way from the nearest camera to that place to each
    side. Where pictures have silhouettes (alpha), the cube shrinks to what these have in common.

    Args:
        views: Pictures and cameras.
        near: Depth where the scene begins; of the files, or by the rule above, if left out.
        far: Where it ends.
        box: Two corners of a box, six numbers that are in order, in place of that.
        silhouettes: Whether alpha says where nothing is.
    """
    poses = np.array([camera.pose for camera in views.cameras])
    bounds = _bounds(views, near, far)
    if box is None:
        middle, half = _sphere(poses, bounds)
    else:
        middle, half = _given(box)
    distances = np.linalg.norm(poses[:, :, 3] - middle, axis=1)
    if bounds is None:
        reach = half if box is None else half * 3**0.5
        bounds = max(float(distances.min()) - reach, 0.01 * half), float(distances.max()) + reach
    scene = Scene(
        low=tuple(float(v) for v in middle - half),
        side=float(2 * half),
        near=bounds[0],
        far=bounds[1],
        camera=views.cameras[views.held_out.index(True) if any(views.held_out) else 0],
    )
    _check_seen(scene, views)
    if silhouettes:
        scene = _shrunk(scene, views, may_move=box is None)
    return _with_orbit(scene, poses)


def _bounds(views: Views, near: float | None, far: float | None) -> tuple[float, float] | None:
    """Near and far, where they are known."""
    own = views.bounds or (None, None)
    near, far = own[0] if near is None else near, own[1] if far is None else far
    return None if near is None and far is None else ordered(near, far)


def _sphere(poses: np.ndarray, bounds: tuple[float, float] | None) -> tuple[np.ndarray, float]:
    """Middle and radius of what all cameras look at.

    Raises:
        ValueError: They look at no one place.
    """
    places, axes = poses[:, :, 3], -poses[:, :, 2]
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]  # away from each optical axis
    matrix = across.mean(0)
    if np.linalg.eigvalsh(matrix)[0] < 1e-3:  # parallel axes: any depth is as good
        if bounds is None:
            raise ValueError(
                "The cameras look in one direction, so they do not tell how far away the scene is. Pass `near` and "
                "`far`, depths in the units of the poses."
            )
        return places.mean(0) + axes.mean(0) * sum(bounds) / 2, (bounds[1] - bounds[0]) / 2
    middle = np.linalg.solve(matrix, np.einsum("nij,nj->i", across, places) / len(places))
    depths = ((middle - places) * axes).sum(1)
    if np.median(depths) <= 0:
        raise ValueError(
            "The cameras look away from each other, and at no one place. Pass `near`, `far` and `box`, in the units "
            "of the poses."
        )
    nearest = float(np.linalg.norm(places - middle, axis=1).min())
    return middle, nearest / 2 if bounds is None else (bounds[1] - bounds[0]) / 2


def _given(box: Sequence[float]) -> tuple[np.ndarray, float]:
    """Middle and half of the side of a cube about a box."""
    low, high = np.array(box[:3]), np.array(box[3:])
    return (low + high) / 2, float((high - low).max() / 2)


def _check_seen(scene: Scene, views: Views) -> None:
    """Refuse a box that no view looks into.

    Raises:
        ValueError: No ray of the views that are trained on is in it, at depths from `near` to `far`.
    """
    for camera, out in zip(views.cameras, views.held_out, strict=True):
        rays = clip_to_unit_box(scene.rays(camera))
        if not out and bool((rays.near < rays.far).any()):
            return
    low, high = ([round(v + w, 3) for v in scene.low] for w in (0, scene.side))
    raise ValueError(
        f"No view that is trained on looks into the box of the scene, from {low} to {high}, at depths from "
        f"{scene.near:.4g} to {scene.far:.4g}. Pass another `box`, or `near` and `far`, in the units of the poses."
    )


def _shrunk(scene: Scene, views: Views, *, may_move: bool) -> Scene:
    """The cube about what the silhouettes have in common, and its cells that are part of it."""
    trained = [k for k, out in enumerate(views.held_out) if not out]
    alphas = [views.images[k][..., 3] for k in trained]
    cameras = [views.cameras[k] for k in trained]
    cells = possible_cells(alphas, cameras, scene.low, scene.side, _CELLS)
    if cells is None or not cells.any():
        return scene
    if may_move:
        inside = cells.nonzero().double().numpy()
        low = inside.min(0) / _CELLS * scene.side + scene.low
        high = (inside.max(0) + 1) / _CELLS * scene.side + scene.low
        middle, half = (low + high) / 2, float((high - low).max() / 2)
        scene = replace(scene, low=tuple(float(v) for v in middle - half), side=2 * half)
        cells = possible_cells(alphas, cameras, scene.low, scene.side, _CELLS)
    return scene if cells is None else replace(scene, possible=packed(cells))


def _with_orbit(scene: Scene, poses: np.ndarray) -> Scene:
    """A turntable about the mean upward direction of the cameras, as high as they are in the mean."""
    up = poses[:, :, 1].mean(0)
    up = up / np.linalg.norm(up) if np.linalg.norm(up) > 0.1 else np.array([0, 0, 1.0])
    away = poses[:, :, 3] - (np.array(scene.low) + scene.side / 2)
    height = float((away @ up).mean())
    across = np.linalg.norm(away - (away @ up)[:, None] * up, axis=1)
    radius = max(float(across.mean()), 1e-3)
    # So far away that the nearest side of the cube fits into the picture.
    slope = min(n / f for n, f in zip(scene.camera.size[::-1], scene.camera.focal, strict=True)) / 2
    farther = max(1.0, (scene.side / 2 / slope + scene.side / 2) / float(np.hypot(height, radius)))
    return replace(scene, up=tuple(map(float, up)), orbit=(farther * height, farther * radius))
