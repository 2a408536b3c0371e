"""What is inside of a surface, how far it is, and points of it: of a mesh, and of a cloud of points."""

from abc import ABC, abstractmethod

import igl
import numpy as np
from scipy.spatial import KDTree

from ntkit.tasks.files import Mesh
from ntkit.tasks.shapes.marching import surface
from ntkit.tasks.shapes.orientation import n_open_edges, oriented

__all__ = ["AbstractSolid", "Cloud", "Solid", "distances", "sampled", "solid_of"]

_NEIGHBOURS = 10
"""That a point's share of the surface is taken from: fewer are noisy, more round off edges."""

_HOLLOW = 1e-3
"""Of the box about a cloud: what encloses less has normals of all directions."""


class AbstractSolid(ABC):
    """A surface with an inside.

    Attributes:
        triangles: `[f, 3, 3]`: the corners of its triangles, anticlockwise as seen from outside; of a cloud, of the
            surface between its points.
        notes: What is to be known about it, in words.
    """

    triangles: np.ndarray
    notes: tuple[str, ...]

    @abstractmethod
    def winding(self, points: np.ndarray) -> np.ndarray:
        """The generalised winding number at points `[n, 3]`: 1 inside and 0 outside of a closed surface."""

    @abstractmethod
    def samples(self, n: int, draw: np.random.Generator) -> np.ndarray:
        """Points `[n, 3]` of the surface, by its area."""

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Whether points `[n, 3]` are inside: their winding number is above 1/2."""
        return self.winding(points) > 0.5

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Distance `[n]` to the surface, above 0 inside and below 0 outside.

        `igl.signed_distance` by the fast winding number `w` gives the distance times `1 - 2 w`, which is another
        number where the surface is open or `w` approximate. Here `w` gives the sign alone.
        """
        far = distances(points, self.triangles)
        return np.where(self.inside(points), far, -far)


class Solid(AbstractSolid):
    """Triangles, watertight or not.

    Inside is where the generalised winding number (Jacobson, Kavan, Sorkine-Hornung 2013), by the fast approximation
    of Barill et al. 2018, is above 1/2: holes are closed by about the smallest surface.

    Args:
        vertices: `[v, 3]`.
        faces: `[f, 3]`.
    """

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        faces, notes = oriented(vertices, faces)
        n_open, n_edges = n_open_edges(faces)
        if n_open:
            notes.append(
                f"not watertight: {n_open:,} of {n_edges:,} edges are open; inside is where the generalised winding "
                "number is above 1/2"
            )
        self._vertices = np.ascontiguousarray(vertices)
        self._faces = np.ascontiguousarray(faces)
        self.triangles: np.ndarray = self._vertices[self._faces]
        self.notes: tuple[str, ...] = tuple(notes)

    def winding(self, points: np.ndarray) -> np.ndarray:
        """Approximate to about 0.005 where the surface is not near."""
        return np.asarray(
            igl.fast_winding_number(self._vertices, self._faces, np.ascontiguousarray(points))
        )

    def samples(self, n: int, draw: np.random.Generator) -> np.ndarray:
        """Of triangles drawn by their area."""
        return sampled(self.triangles, n, draw)


class Cloud(AbstractSolid):
    """Points of a surface with their outward normals.

    Inside is where the winding number of the points (Barill et al. 2018, equation 5) is above 1/2. The area of a
    point is that of a disc out to its tenth neighbour over ten, in place of the paper's Voronoi cell.

    Args:
        points: `[v, 3]`, in the unit box.
        normals: `[v, 3]`, of length 1, outward.
        cells: Of marching cubes along the box, for the surface between them.

    Raises:
        ValueError: They enclose nothing.
    """

    def __init__(self, points: np.ndarray, normals: np.ndarray, cells: int = 128) -> None:
        reach = KDTree(points).query(points, _NEIGHBOURS + 1)[0][:, -1]
        self._points, self._normals = np.ascontiguousarray(points), np.ascontiguousarray(normals)
        self._areas = np.pi * reach**2 / _NEIGHBOURS
        notes = [
            f"{len(points):,} points with normals; inside is where their winding number is above 1/2"
        ]
        # The divergence theorem: the volume that they enclose.
        volume = float(self._areas @ ((points - points.mean(0)) * normals).sum(1)) / 3
        if abs(volume) < _HOLLOW * np.ptp(points, axis=0).prod():
            raise ValueError(
                "The points and their normals enclose nothing. The normals must look outward, and the points be all "
                "over the surface."
            )
        if volume < 0:
            self._normals = np.ascontiguousarray(-normals)
            notes.append("its normals looked inward, and were turned")
        self.triangles: np.ndarray = surface(lambda x: self.winding(x) - 0.5, (cells,) * 3)
        self.notes: tuple[str, ...] = tuple(notes)

    def winding(self, points: np.ndarray) -> np.ndarray:
        """Of the points as little discs."""
        at = np.ascontiguousarray(points)
        return np.asarray(igl.fast_winding_number(self._points, self._normals, self._areas, at))

    def samples(self, n: int, draw: np.random.Generator) -> np.ndarray:
        """Of the surface between the points."""
        return sampled(self.triangles, n, draw)


def solid_of(mesh: Mesh, low: np.ndarray, side: float, *, cells: int = 128) -> AbstractSolid:
    """What a reader gave, in coordinates of a box.

    Args:
        mesh: In the units of its file.
        low: The corner of the box in these units.
        side: Of the box.
        cells: Of marching cubes along the box, for the surface of a cloud.
    """
    vertices = (mesh.vertices - low) / side
    if mesh.normals is not None:
        return Cloud(vertices, mesh.normals, cells)
    return Solid(vertices, mesh.faces)


def sampled(triangles: np.ndarray, n: int, draw: np.random.Generator) -> np.ndarray:
    """Points `[n, 3]` of triangles `[f, 3, 3]`, uniform by area."""
    a, b, c = triangles.transpose(1, 0, 2)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    chosen = draw.choice(len(areas), n, p=areas / areas.sum())
    root, along = np.sqrt(draw.random((n, 1))), draw.random((n, 1))  # uniform on a triangle
    return (1 - root) * a[chosen] + root * ((1 - along) * b[chosen] + along * c[chosen])


def distances(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """From points `[n, 3]` to the nearest of triangles `[f, 3, 3]`."""
    vertices = np.ascontiguousarray(triangles.reshape(-1, 3))
    faces = np.arange(len(vertices), dtype=np.int64).reshape(-1, 3)
    squares = igl.point_mesh_squared_distance(np.ascontiguousarray(points), vertices, faces)[0]
    return np.sqrt(squares)
