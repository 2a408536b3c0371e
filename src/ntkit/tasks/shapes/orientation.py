"""Whether triangles close, and whether they look outward: what a winding number needs to be told inside by."""

import igl
import numpy as np

__all__ = ["n_open_edges", "oriented", "volume"]


def n_open_edges(faces: np.ndarray) -> tuple[int, int]:
    """Edges at which the triangles do not close, and all edges.

    The winding number of triangles is a whole number everywhere exactly where each edge is run through as often in
    one direction as in the other: their boundary as a chain is nothing (Jacobson, Kavan, Sorkine-Hornung 2013,
    section 4).

    Args:
        faces: `[f, 3]`.
    """
    starts, ends = faces.ravel(), np.roll(faces, -1, 1).ravel()
    forward = np.where(starts < ends, 1, -1)
    pairs = np.sort(np.stack([starts, ends], 1), 1)
    edges, place = np.unique(pairs, axis=0, return_inverse=True)
    sums = np.bincount(place.reshape(-1), weights=forward, minlength=len(edges))
    return int((sums != 0).sum()), len(edges)


def oriented(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """The faces, turned to look outward, and what was done, in words.

    Faces that run through a common edge in the same direction contradict each other: then each connected part is
    made consistent, and turned to a volume above 0, also a cavity. Otherwise they are believed, and all turned if
    they enclose a volume below 0.
    """
    notes = []
    if _contradict(faces):
        found, part = igl.bfs_orient(faces)
        found, part = np.asarray(found, np.int64), np.asarray(part).ravel()
        signs = np.bincount(part, weights=_volumes(vertices, found))
        inward = (signs < 0)[part]
        found[inward] = found[inward][:, ::-1]
        kept = [(np.roll(found, k, 1) == faces).all(1) for k in range(3)]
        n_turned = len(faces) - int(np.logical_or.reduce(kept).sum())
        notes.append(
            f"its faces contradict each other about which side is out; {n_turned:,} of {len(faces):,} were turned"
        )
        return found, notes
    if volume(vertices, faces) < 0:
        faces = faces[:, ::-1]
        notes.append("its faces looked inward, and were turned")
    return np.ascontiguousarray(faces), notes


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """What the triangles enclose; of open ones, with the middle of the vertices as the tip of each cone."""
    return float(_volumes(vertices, faces).sum())


def _volumes(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Of the tetrahedron of each triangle and the middle of the vertices."""
    a, b, c = (vertices - vertices.mean(0))[faces].transpose(1, 0, 2)
    return np.einsum("fi,fi->f", a, np.cross(b, c)) / 6


def _contradict(faces: np.ndarray) -> bool:
    """Whether two triangles that alone share an edge run through it in the same direction."""
    starts, ends = faces.ravel(), np.roll(faces, -1, 1).ravel()
    forward = starts < ends
    pairs = np.sort(np.stack([starts, ends], 1), 1)
    edges, place, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    ahead = np.bincount(place.reshape(-1), weights=forward, minlength=len(edges))
    return bool(((counts == 2) & (ahead != 1)).any())
