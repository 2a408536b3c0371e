"""Triangles by their corners, and by rows of their vertices."""

import numpy as np

__all__ = ["indexed"]


def indexed(triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices `[v, 3]`, none twice, and faces `[f, 3]` of triangles `[n, 3, 3]`; those without an area left out."""
    vertices, place = np.unique(triangles.reshape(-1, 3), axis=0, return_inverse=True)
    faces = place.reshape(-1, 3)
    a, b, c = faces.T
    return vertices, faces[(a != b) & (b != c) & (c != a)]
