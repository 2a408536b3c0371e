"""Pictures of triangles, without a graphics card: a z-buffer, normals and three lamps, in NumPy."""

from collections.abc import Sequence
from math import cos, radians, sin

import numpy as np

__all__ = ["rendered", "turntable"]

_SAMPLES = 2
"""Points a pixel along each axis, whose mean is the pixel."""

_CANDIDATES = 2**20
"""Pixels of triangles that are looked at together: some 100 MB."""

_WIDTH = 1.15
"""Of a picture, in sides of the box."""

_EDGE = 1e-4
"""By how much a point may lie beyond an edge: the weights are in single precision."""

_CREASE = cos(radians(35))
"""Of the angle between a triangle and the mean of its neighbours, above which an edge stays an edge."""

_CLAY = np.array([0.80, 0.82, 0.86])
_INSIDE = np.array([0.80, 0.45, 0.35])  # the back of a triangle, seen through a hole
_LAMPS = (((-0.45, 0.65, 0.60), 0.75), ((0.70, 0.10, 0.50), 0.25), ((0.0, -0.6, -0.3), 0.08))
"""Directions to the lamps from the camera (right, up, back), and how bright."""

_AMBIENT = 0.16
"""Light that reaches what no lamp does, so that it does not vanish."""

_GAMMA = 1 / 1.6
"""Lifts the dark half, where most of a surface lies."""


def rendered(
    triangles: np.ndarray,
    azimuths: Sequence[float] | np.ndarray,
    *,
    elevation: float = 18.0,
    up: int = 1,
    pixels: int = 280,
    is_closed: bool = False,
) -> np.ndarray:
    """Pictures `[k, pixels, pixels, 3]` in [0, 1] of triangles in the unit box, from far away, on white.

    O(points covered by the triangles' boxes) time a picture, in chunks.

    Args:
        triangles: `[f, 3, 3]`, anticlockwise as seen from outside; the back of one is red.
        azimuths: Of the cameras, in degrees about the axis that is up.
        elevation: Of the cameras, in degrees above the plane.
        up: Which axis is up.
        pixels: Height and width.
        is_closed: Whether no back of a triangle can be seen, which halves the time.
    """
    corners = np.asarray(triangles, np.float64)
    flat, smooth = _normals(corners) if len(corners) else (corners, corners)
    views = []
    for azimuth in azimuths:
        turn = _camera(azimuth, elevation, up)
        kept = slice(None)
        if is_closed and len(corners):
            kept = flat @ turn[2] > 0
        views.append(
            _picture(
                (corners[kept] - 0.5) @ turn.T, flat[kept] @ turn.T, smooth[kept] @ turn.T, pixels
            )
        )
    return np.stack(views)


def turntable(
    triangles: np.ndarray, *, frames: int = 24, up: int = 1, pixels: int = 200
) -> np.ndarray:
    """Pictures `[frames, pixels, pixels, 3]` of a closed surface in the unit box, once around."""
    angles = np.arange(frames) * 360 / frames
    return rendered(triangles, angles, up=up, pixels=pixels, is_closed=True)


def _picture(corners: np.ndarray, flat: np.ndarray, smooth: np.ndarray, pixels: int) -> np.ndarray:
    """Triangles as the camera sees them: right, up and towards it, the middle of the box at 0."""
    n = pixels * _SAMPLES
    picture = np.ones((n * n, 3))
    if len(corners):
        screen = (corners[..., :2] * [1, -1] / _WIDTH + 0.5) * n
        face, weights = _nearest(screen, corners[..., 2], n)
        seen = np.flatnonzero(face >= 0)
        face = face[seen]
        normals = _unit(np.einsum("pk,pki->pi", weights[seen], smooth[face]))
        picture[seen] = _lit(normals, behind=flat[face, 2] < 0)
    return picture.reshape(pixels, _SAMPLES, pixels, _SAMPLES, 3).mean((1, 3))


def _camera(azimuth: float, elevation: float, up: int) -> np.ndarray:
    """Rows: what is right, up and towards the camera."""
    a, e = radians(azimuth), radians(elevation)
    high = np.eye(3)[up]
    ahead, aside = np.eye(3)[(up + 1) % 3], np.eye(3)[(up + 2) % 3]
    level = cos(a) * ahead + sin(a) * aside
    back = cos(e) * level + sin(e) * high
    right = np.cross(high, level)
    return np.stack([right, np.cross(back, right), back])


def _normals(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of triangles `[f, 3]`; and at each corner `[f, 3, 3]`: the mean there, by area, unless there is a crease."""
    a, b, c = triangles.transpose(1, 0, 2)
    flat = np.cross(b - a, c - a)
    corners = np.ascontiguousarray(triangles.reshape(-1, 3) + 0.0)
    keys = corners.view(np.dtype((np.void, 24))).ravel()
    _, place = np.unique(keys, return_inverse=True)
    spread = np.repeat(flat, 3, axis=0)
    sums = np.stack([np.bincount(place, weights=spread[:, i]) for i in range(3)], 1)
    smooth = _unit(sums)[place].reshape(-1, 3, 3)
    own = _unit(flat)[:, None]
    is_smooth = (smooth * own).sum(-1, keepdims=True) > _CREASE
    return own[:, 0], np.where(is_smooth, smooth, own)


def _nearest(screen: np.ndarray, depth: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """For each of `n * n` points the triangle in front (-1 for none), and the weights of its corners.

    Args:
        screen: `[f, 3, 2]`, in points from the upper left.
        depth: `[f, 3]`, larger towards the camera, between -1 and 1.
        n: Points along each axis.
    """
    face, weights = np.full(n * n, -1), np.zeros((n * n, 3))
    front = np.full(n * n, np.iinfo(np.int16).min, np.int16)
    planes, depths = _planes(screen, depth)
    low = np.clip(np.ceil(screen.min(1) - 0.5), 0, n).astype(np.int32)
    high = np.clip(np.floor(screen.max(1) - 0.5) + 1, 0, n).astype(np.int32)
    sizes = np.maximum(high - low, 0)
    counts = sizes.prod(1, dtype=np.int64) * np.isfinite(planes).all((1, 2))
    some = np.flatnonzero(counts)
    groups = np.cumsum(counts[some]) // _CANDIDATES
    for group in np.split(some, np.flatnonzero(np.diff(groups)) + 1):
        k = counts[group]
        which = np.repeat(group, k)
        start = np.repeat((np.cumsum(k) - k).astype(np.int32), k)
        along = np.arange(len(which), dtype=np.int32) - start
        wide = sizes[which, 0]
        down = along // wide
        column, row = low[which, 0] + along - down * wide, low[which, 1] + down
        x, y = column.astype(np.float32), row.astype(np.float32)
        second, third = (
            plane[which, 0] * x + plane[which, 1] * y + plane[which, 2]
            for plane in (planes[:, 0], planes[:, 1])
        )
        # A point on an edge belongs to both.
        inside = np.flatnonzero(
            (second >= -_EDGE) & (third >= -_EDGE) & (second + third <= 1 + _EDGE)
        )
        which, second, third = which[inside], second[inside], third[inside]
        z = depths[which, 0] + second * depths[which, 1] + third * depths[which, 2]
        # 16 bits are sorted in linear time; of equal places NumPy keeps the last, which is the nearest.
        z = (z * np.iinfo(np.int16).max).astype(np.int16)
        order = np.argsort(z, kind="stable")
        at = (row[inside] * n + column[inside])[order]
        best = np.full(n * n, -1)
        best[at] = order
        hit = np.flatnonzero(best >= 0)
        hit = hit[z[best[hit]] > front[hit]]
        chosen = best[hit]
        face[hit], front[hit] = which[chosen], z[chosen]
        weights[hit, 1], weights[hit, 2] = second[chosen], third[chosen]
    weights[:, 0] = 1 - weights[:, 1] - weights[:, 2]
    return face, weights


def _planes(screen: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weights of second and third corners, linear in column and row of a point; and depths by these weights.

    Returns:
        `[f, 2, 3]`: factors of the column, of the row, and a constant, not finite of a triangle seen from its edge;
        and `[f, 3]`: a constant, and factors of the two weights.
    """
    a, b, c = screen.transpose(1, 0, 2)
    u, v = b - a, c - a
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
        second = np.stack([v[:, 1], -v[:, 0]], 1) * scale[:, None]
        third = np.stack([-u[:, 1], u[:, 0]], 1) * scale[:, None]
        found = np.stack([second, third], 1)
        constant = (found * (0.5 - a)[:, None]).sum(2)
    depths = np.stack([depth[:, 0], depth[:, 1] - depth[:, 0], depth[:, 2] - depth[:, 0]], 1)
    planes = np.concatenate([found, constant[..., None]], 2)
    return planes.astype(np.float32), depths.astype(np.float32)


def _lit(normals: np.ndarray, *, behind: np.ndarray) -> np.ndarray:
    """Colours of points by their normals, as the camera sees them; those on the back of a triangle turned."""
    normals = np.where(behind[:, None], -normals, normals)
    light = np.full(len(normals), _AMBIENT)
    for direction, strength in _LAMPS:
        light += strength * np.clip(
            normals @ (np.array(direction) / np.linalg.norm(direction)), 0, None
        )
    half = np.array([-0.3, 0.5, 1.3])
    gloss = 0.12 * np.clip(normals @ (half / np.linalg.norm(half)), 0, None) ** 24
    colour = np.where(behind[:, None], _INSIDE, _CLAY)
    return np.clip(colour * (light**_GAMMA)[:, None] + gloss[:, None], 0, 1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """At length 1; 0 stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
