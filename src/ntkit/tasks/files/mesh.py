"""Reading a surface: a mesh of triangles, or a cloud of points with their normals."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file, sorted_files
from ntkit.tasks.files.content import Mesh
from ntkit.tasks.files.sampling import check_memory

__all__ = ["SHAPES", "mesh_of", "read_shape", "shape_in"]

SHAPES = (".ply", ".obj", ".stl", ".glb", ".off")
"""Endings of files of meshes, and of clouds of points."""

_BYTES = 2000
"""Working memory of a triangle or point: the trees of the winding number and of the distances."""

_FEWEST = 32
"""Points of a cloud: fewer enclose nothing that could be told from noise."""

_LARGEST = 1e30
"""Coordinate, of either sign: volumes of larger ones would overflow."""

_THIN = 1e-6
"""Of the longest side: what is thinner has no inside that single precision could tell."""


def read_shape(path: Path) -> Mesh:
    """The triangles of a file, or its points with their normals.

    Several meshes of one file are put together; colours, textures and materials are not read.

    Args:
        path: A file .ply, .obj, .stl, .glb or .off, or an .npz of `vertices` and `faces`, or of `points` and
            `normals`; or a folder that holds one of them, beside its textures and the like.

    What is no such file, is damaged, has no faces (and no normals), vertices that are not finite, or no extent,
    is a `ValueError` in one line.
    """
    path = shape_in(path) if path.is_dir() else path
    size = require_file(
        path, "a mesh (.ply, .obj, .stl, .glb, .off) or an .npz of vertices and faces"
    )
    name = shown(path)
    with reading(path):
        if path.suffix.lower() == ".npz":
            vertices, faces, normals, notes = _archive(path)
        else:
            vertices, faces, normals, notes = needed("ntkit.tasks.files.meshes").loaded(path)
        count = max(len(vertices), 0 if faces is None else len(faces))
        check_memory(
            path,
            samples=count,
            numbers=3 * count,
            bytes_per_sample=_BYTES,
            way_out="Simplify it with another program.",
        )
        found = mesh_of(vertices, faces, normals, name=name)
    return Mesh(found.vertices, found.faces, found.normals, (*notes, *found.notes), size)


def shape_in(folder: Path) -> Path:
    """The one mesh or cloud of points in a folder.

    Raises:
        ValueError: There is none, or there are several.
    """
    found = [p for p in sorted_files(folder) if p.suffix.lower() in SHAPES]
    if len(found) == 1:
        return found[0]
    names = ", ".join(shown(p.name) for p in found[:3])
    what = f"{len(found)} meshes or clouds ({names}{', ...' if len(found) > 3 else ''}): pass one of them"
    raise ValueError(
        f"`{shown(folder)}` holds {what if found else 'no mesh (' + ', '.join(SHAPES) + ')'}."
    )


def mesh_of(
    vertices: np.ndarray, faces: np.ndarray | None, normals: np.ndarray | None = None, *, name: str
) -> Mesh:
    """Arrays as what a reader gives: equal vertices merged, faces without an area left out.

    Args:
        vertices: `[v, 3]`.
        faces: `[f, 3]`, rows of `vertices`; none or empty of a cloud of points.
        normals: `[v, 3]` of a cloud, outward, of any length; not looked at where there are faces.
        name: What to call it in messages.

    Raises:
        ValueError: They are no surface.
    """
    vertices = np.ascontiguousarray(vertices, dtype=np.float64)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) == 0:
        raise ValueError(f"`{name}` has vertices {vertices.shape}; [v, 3] are needed, in space.")
    bad = ~(np.abs(vertices) < _LARGEST).all(1)  # also NaN
    if bad.any():
        raise ValueError(
            f"`{name}` has {bad.sum()} vertices that are no finite numbers below 1e30, the first is {int(bad.argmax())}. Take them out."
        )
    if faces is None or len(faces) == 0:
        return _cloud(vertices, normals, name)
    return _triangles(vertices, np.asarray(faces), name)


def _triangles(vertices: np.ndarray, faces: np.ndarray, name: str) -> Mesh:
    """A mesh, mended.

    Raises:
        ValueError: Its faces are no triangles of its vertices, or enclose nothing.
    """
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise ValueError(
            f"`{name}` has faces {faces.shape} of {faces.dtype}; whole numbers [f, 3] are needed, triangles."
        )
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(
            f"`{name}` has faces of vertices {faces.min()} to {faces.max()}, and there are {len(vertices)}, from 0."
        )
    notes = []
    used, place = np.unique(vertices + 0.0, axis=0, return_inverse=True)  # + 0.0: -0 is 0
    faces = place.reshape(-1)[faces.astype(np.int64)]
    corners = used[faces]
    doubled = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    flat = doubled == 0
    if flat.any():
        notes.append(f"{flat.sum():,} of {len(faces):,} faces have no area, and were left out")
        faces = faces[~flat]
    if len(faces) == 0:
        raise ValueError(f"`{name}` has no face with an area: its faces are points and lines.")
    kept, place = np.unique(faces, return_inverse=True)
    vertices, faces = used[kept], place.reshape(-1, 3)
    sides = np.ptp(vertices, axis=0)
    if sides.min() <= _THIN * sides.max():
        raise ValueError(
            f"`{name}` is {' x '.join(f'{s:.3g}' for s in sides)}: it is flat, and has no inside."
        )
    return Mesh(vertices, faces.astype(np.int64), None, tuple(notes), 0)


def _cloud(vertices: np.ndarray, normals: np.ndarray | None, name: str) -> Mesh:
    """Points with normals of length 1; those without a direction left out.

    Raises:
        ValueError: There are no normals, too few points, or they enclose nothing.
    """
    if normals is None:
        raise ValueError(
            f"`{name}` has no faces, and its {len(vertices):,} points have no normals: nothing says what is inside. "
            "Pass a mesh, or a PLY with nx, ny, nz."
        )
    normals = np.asarray(normals, np.float64)
    if normals.shape != vertices.shape:
        raise ValueError(f"`{name}` has normals {normals.shape} of points {vertices.shape}.")
    lengths = np.linalg.norm(normals, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    notes = []
    if not good.all():
        notes.append(f"{(~good).sum():,} of {len(good):,} points have no normal, and were left out")
    vertices, normals = vertices[good], normals[good] / lengths[good, None]
    if len(vertices) < _FEWEST:
        raise ValueError(
            f"`{name}` has {len(vertices)} points with normals; at least {_FEWEST} are needed."
        )
    sides = np.ptp(vertices, axis=0)
    if sides.min() <= _THIN * sides.max():
        raise ValueError(
            f"`{name}` is {' x '.join(f'{s:.3g}' for s in sides)}: it is flat, and has no inside."
        )
    return Mesh(vertices, np.zeros((0, 3), np.int64), normals, tuple(notes), 0)


def _archive(
    path: Path,
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None, list[str]]:
    """The arrays of an `.npz`.

    Raises:
        ValueError: They have other names, or hold no real numbers.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = set(archive.files)
        if {"vertices", "faces"} <= names:
            first, second = archive["vertices"], archive["faces"]
        elif {"points", "normals"} <= names:
            first, second = archive["points"], archive["normals"]
        else:
            raise ValueError(
                f"`{shown(path)}` holds {', '.join(sorted(names)) or 'no array'}, and `vertices` and `faces`, or `points` and "
                "`normals` are needed."
            )
    if first.dtype.kind not in "fiu" or second.dtype.kind not in "fiu":
        raise ValueError(f"it holds {first.dtype} and {second.dtype}, and real numbers are needed.")
    return (first, second, None, []) if "vertices" in names else (first, None, second, [])
