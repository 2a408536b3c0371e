"""Surfaces whose inside is known: spheres, boxes, a torus, and points of a sphere with their normals."""

import numpy as np

__all__ = ["box", "cloud", "sphere", "torus"]

Arrays = tuple[np.ndarray, np.ndarray]


def box(sides: tuple[float, float, float]) -> Arrays:
    """Vertices and faces of a box from the origin on."""
    vertices = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), float).reshape(3, 8).T
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [(a, b, c) for q in quads for a, b, c in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))]
    return vertices * sides, np.array(faces)


def sphere(n_splits: int = 3, radius: float = 1.0) -> Arrays:
    """An octahedron, split so many times, on the sphere about the origin."""
    vertices = np.concatenate([np.eye(3), -np.eye(3)])
    faces = np.array([
        (0, 1, 2),
        (1, 3, 2),
        (3, 4, 2),
        (4, 0, 2),
        (1, 0, 5),
        (3, 1, 5),
        (4, 3, 5),
        (0, 4, 5),
    ])
    for _ in range(n_splits):
        a, b, c = vertices[faces].transpose(1, 0, 2)
        ab, bc, ca = a + b, b + c, c + a
        soup = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)
        soup /= np.linalg.norm(soup, axis=1, keepdims=True)
        vertices, place = np.unique(soup.round(12), axis=0, return_inverse=True)
        faces = place.reshape(-1, 3)
    return radius * vertices / np.linalg.norm(vertices, axis=1, keepdims=True), faces


def torus(n: int = 96, m: int = 48, large: float = 1.0, small: float = 0.4) -> Arrays:
    """About the third axis."""
    u, v = np.meshgrid(np.arange(n) / n, np.arange(m) / m, indexing="ij")
    u, v = 2 * np.pi * u.ravel(), 2 * np.pi * v.ravel()
    ring = large + small * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), small * np.sin(v)], 1)
    i, j = (k.ravel() for k in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    a, b = i * m + j, (i + 1) % n * m + j
    c, d = (i + 1) % n * m + (j + 1) % m, i * m + (j + 1) % m
    return vertices, np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])


def cloud(n: int, radius: float = 1.0, seed: int = 0) -> Arrays:
    """Points of a sphere, and their normals."""
    draw = np.random.default_rng(seed).normal(size=(n, 3))
    normals = draw / np.linalg.norm(draw, axis=1, keepdims=True)
    return radius * normals, normals.copy()
