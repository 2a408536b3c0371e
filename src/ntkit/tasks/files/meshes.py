"""Triangles and points of the formats of meshes, by trimesh."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.ply import load_ply

from ntkit._core.whole_files import shown

__all__ = ["loaded"]

_FORMATS = {".ply", ".obj", ".stl", ".glb", ".off"}
_MOST_INSTANCES = 10_000
"""A scene that places a mesh more often is refused, before it fills the memory."""

_MOST_FACES = 2**26
"""1.6 GB of corners in int64."""


def loaded(
    path: Path,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, list[str]]:
    """Vertices, faces (None of a cloud), normals (None where there are none), and notes.

    The bytes are parsed alone: no other file that they name is opened.

    Args:
        path: The file; its name tells the format, or else its first bytes.

    Raises:
        ValueError: It is of no such format, or holds neither triangles nor points.
    """
    content = path.read_bytes()
    form = _format(path, content)
    scene = trimesh.load_scene(
        BytesIO(content), file_type=form, process=False, skip_materials=True, resolver=None
    )
    names = list(scene.graph.nodes_geometry)
    if len(names) > _MOST_INSTANCES:
        raise ValueError(f"it places meshes {len(names):,} times, more than {_MOST_INSTANCES:,}.")
    placed = [(scene.graph[name][0], scene.geometry[scene.graph[name][1]]) for name in names]
    solid = [(matrix, part) for matrix, part in placed if isinstance(part, trimesh.Trimesh)]
    solid = [(matrix, part) for matrix, part in solid if len(part.faces)]
    if solid:
        return _together(solid, len(placed))
    for matrix, part in placed:
        if isinstance(part, trimesh.PointCloud) or len(part.vertices):
            return _points(part, matrix, content if form == "ply" else None)
    raise ValueError("it has no faces.")


def _together(
    parts: list[tuple[np.ndarray, Any]], n_all: int
) -> tuple[np.ndarray, np.ndarray, None, list[str]]:
    """The triangles of several meshes, each in its place.

    Raises:
        ValueError: There are more than a memory holds, or one is of vertices that there are not.
    """
    total = sum(len(part.faces) for _, part in parts)
    if total > _MOST_FACES:
        raise ValueError(f"it has {total:,} faces, more than {_MOST_FACES:,}. Simplify it.")
    vertices, faces, start = [], [], 0
    for matrix, part in parts:
        own, corners = np.asarray(part.vertices, np.float64), np.asarray(part.faces, np.int64)
        vertices.append(_moved(own, matrix))
        if corners.min() < 0 or corners.max() >= len(own):
            raise ValueError(
                f"a face names vertex {corners.max()}, and there are {len(own)}, from 0."
            )
        mirrored = np.linalg.det(matrix[:3, :3]) < 0
        faces.append((corners[:, ::-1] if mirrored else corners) + start)
        start += len(own)
    notes = [f"{len(parts)} meshes were put together"] if len(parts) > 1 else []
    if n_all > len(parts):
        notes.append(f"{n_all - len(parts)} parts without faces were left out")
    return np.concatenate(vertices), np.concatenate(faces), None, notes


def _points(
    part: Any, matrix: np.ndarray, ply: bytes | None
) -> tuple[np.ndarray, None, np.ndarray | None, list[str]]:
    """The points of a cloud, with the normals that a PLY has; trimesh keeps none of a cloud."""
    vertices = _moved(np.asarray(part.vertices, np.float64), matrix)
    normals = load_ply(BytesIO(ply)).get("vertex_normals") if ply is not None else None
    return vertices, None, normals, []


def _format(path: Path, content: bytes) -> str:
    """What trimesh calls the format.

    Raises:
        ValueError: It is none that is read.
    """
    suffix = path.suffix.lower()
    if suffix in _FORMATS:
        return suffix[1:]
    if content[:4] == b"glTF":
        return "glb"
    if content[:3] == b"ply":
        return "ply"
    raise ValueError(
        f"`{shown(path)}` is no mesh that is known by its name. Pass a .ply, .obj, .stl, .glb or .off, or an .npz "
        "of `vertices` and `faces`."
    )


def _moved(vertices: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """In their place in the scene; what is not finite stays so without a warning, and is refused by who asked."""
    with np.errstate(invalid="ignore", over="ignore"):
        return vertices @ matrix[:3, :3].T + matrix[:3, 3]
