"""Write a mesh and views of a scene, to try `ntkit tune`, `fit` and `render` on where there are no files at hand.

`knot.obj` is a tube along a trefoil, a closed surface. `balls` is a folder in Blender's format: pictures of three
lit balls with transparent surroundings, ray-traced, and the cameras that saw them.

    python examples/shape_and_field.py data
    ntkit fit data/knot.obj --budget 1min
    ntkit fit data/balls --budget 5min
"""

import json
import sys
from math import cos, pi, sin, tan
from pathlib import Path

import numpy as np
from PIL import Image

SIZE, TRAINED, JUDGED = 64, 24, 4
ANGLE = 0.7
"""Of view, radians."""

FINER = 3
"""Rays along each side of a pixel."""

SUN = np.array([0.5, -0.6, 0.62])
BALLS = (
    ((0.0, 0.0, 0.0), 0.55, (0.85, 0.25, 0.2)),
    ((0.75, 0.35, 0.15), 0.3, (0.2, 0.5, 0.85)),
    ((-0.5, 0.6, -0.2), 0.35, (0.95, 0.75, 0.25)),
)
"""Middle, radius and colour."""


def knot(n: int = 240, m: int = 24, radius: float = 0.35) -> tuple[np.ndarray, np.ndarray]:
    """Vertices `[n m, 3]` and triangles `[2 n m, 3]` of a tube along a trefoil.

    Args:
        n: Places along the knot.
        m: Places around the tube.
        radius: Of the tube; the knot is about 6 wide.
    """
    t = np.arange(n) * 2 * pi / n
    line = np.stack(
        [np.sin(t) + 2 * np.sin(2 * t), np.cos(t) - 2 * np.cos(2 * t), -np.sin(3 * t)], 1
    )
    ahead = np.roll(line, -1, 0) - np.roll(line, 1, 0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.cross(ahead, [0.0, 0.0, 1.0])  # the knot never goes straight up
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    up = np.cross(side, ahead)
    turn = (np.arange(m) * 2 * pi / m)[None, :, None]
    ring = side[:, None] * np.cos(turn) + up[:, None] * np.sin(turn)
    vertices = (line[:, None] + radius * ring).reshape(-1, 3)
    at = np.arange(n * m).reshape(n, m)
    right, above = np.roll(at, -1, 0), np.roll(at, -1, 1)
    both = np.roll(right, -1, 1)
    faces = [np.stack([at, right, above], -1), np.stack([above, right, both], -1)]
    return vertices, np.concatenate(faces).reshape(-1, 3)


def pose(k: int, count: int) -> np.ndarray:
    """Of a camera that looks at the middle, `[4, 4]`: columns are right, up, back and its place."""
    turn, height = 2 * pi * k * 0.618, -0.3 + 1.2 * (k + 0.5) / count
    place = 3.2 * np.array([cos(turn) * cos(height), sin(turn) * cos(height), sin(height)])
    back = place / np.linalg.norm(place)
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    found = np.eye(4)
    found[:3] = np.stack([right, np.cross(back, right), back, place], 1)
    return found


def picture(camera: np.ndarray) -> Image.Image:
    """What it sees, with transparency, averaged over the rays of each pixel."""
    fine = SIZE * FINER
    step = 2 * tan(ANGLE / 2) / fine
    across = (np.arange(fine) + 0.5 - fine / 2) * step
    local = np.stack([*np.broadcast_arrays(across, -across[:, None]), np.full((fine, fine), -1.0)])
    rays = np.moveaxis(local, 0, -1) @ camera[:3, :3].T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    colour, nearest = np.zeros((fine, fine, 4)), np.full((fine, fine), np.inf)
    for middle, radius, paint in BALLS:
        gap = camera[:3, 3] - middle
        along = rays @ gap
        inside = along**2 - gap @ gap + radius**2
        depth = -along - np.sqrt(inside.clip(0))
        seen = (inside > 0) & (depth < nearest)
        normal = (gap + depth[..., None] * rays) / radius
        light = 0.35 + 0.65 * (normal @ SUN).clip(0)
        shaded = np.concatenate([light[..., None] * np.array(paint), np.ones((fine, fine, 1))], -1)
        colour[seen], nearest[seen] = shaded[seen], depth[seen]
    mean = colour.reshape(SIZE, FINER, SIZE, FINER, 4).mean((1, 3))
    mean[..., :3] /= mean[..., 3:].clip(1e-9)
    return Image.fromarray((255 * mean).round().astype(np.uint8), "RGBA")


def write_views(folder: Path, name: str, cameras: list[np.ndarray]) -> None:
    """Pictures, and the JSON that says where each was taken."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    frames = []
    for k, camera in enumerate(cameras):
        picture(camera).save(folder / name / f"r_{k}.png")
        frames.append({"file_path": f"./{name}/r_{k}", "transform_matrix": camera.tolist()})
    content = {"camera_angle_x": ANGLE, "frames": frames}
    (folder / f"transforms_{name}.json").write_text(json.dumps(content, indent=1))


def main() -> None:
    """Write both where the first argument says."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "data")
    folder.mkdir(parents=True, exist_ok=True)
    vertices, faces = knot()
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += [f"f {a} {b} {c}" for a, b, c in faces + 1]
    (folder / "knot.obj").write_text("\n".join(lines) + "\n")
    count = TRAINED + JUDGED
    judging = range(3, count, count // JUDGED)
    write_views(
        folder / "balls", "train", [pose(k, count) for k in range(count) if k not in judging]
    )
    write_views(folder / "balls", "test", [pose(k, count) for k in judging])
    print(folder / "knot.obj")
    print(folder / "balls")


if __name__ == "__main__":
    main()
