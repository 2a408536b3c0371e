"""What the readers give: samples on a grid, scattered ones, or a surface, in plain NumPy arrays."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Content", "Levels", "Mesh", "Scattered"]


@dataclass(frozen=True)
class Levels:
    """Which number of a file is 0, and which is 1, in the fitted field.

    Attributes:
        low: The number that becomes 0.
        high: The number that becomes 1; larger than `low`.

    Example:
        >>> levels = Levels(0, 255)
        >>> levels.to_unit(np.array([0, 51])), levels.back(np.array([0.2]))
        (array([0. , 0.2]), array([51.]))
    """

    low: float
    high: float

    def to_unit(self, values: np.ndarray) -> np.ndarray:
        """Numbers of the file in fitted units, as float64."""
        return (np.asarray(values, np.float64) - self.low) / (self.high - self.low)

    def back(self, values: np.ndarray) -> np.ndarray:
        """Fitted units as numbers of the file, as float64."""
        return np.asarray(values, np.float64) * (self.high - self.low) + self.low


@dataclass(frozen=True, eq=False)
class Content:
    """Samples on a regular grid.

    Attributes:
        values: `[*shape, o]`, float64, in fitted units; channels are last. A video has its frames first.
        levels: What fitted units are in numbers of the file.
        notes: What was converted, in words.
        spacing: Distance of neighbours along each axis, in its unit; `None` where the file does not say.
        units: The unit of each axis: "px", "s", "mm", "sample", "frame", "slice".
        depth: Bits a number of the file has where it is whole (8, 16, ...), 32 where it is floating.
        file_bytes: Size of the file, or of all files of a folder that were read.
        affine: Of volumes: `[4, 4]`, from the index along the three axes to mm (right, anterior, superior),
            at the centres of the samples.
    """

    values: np.ndarray
    levels: Levels
    notes: tuple[str, ...]
    spacing: tuple[float, ...] | None
    units: tuple[str, ...]
    depth: int
    file_bytes: int
    affine: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples along each axis of the grid."""
        return self.values.shape[:-1]

    @property
    def n_outputs(self) -> int:
        """Channels."""
        return self.values.shape[-1]


@dataclass(frozen=True, eq=False)
class Scattered:
    """Values at scattered points.

    Attributes:
        points: `[n, d]`, float64, in the file's own units; longitude and latitude in degrees, in this order.
        values: `[n, o]`, float64, in fitted units, each column by its own levels.
        levels: What fitted units are in numbers of the file, for each column of values.
        names: Of the columns: the coordinates, then the values.
        geographic: Whether the first two coordinates are longitude and latitude.
        notes: What was converted, in words.
        file_bytes: Size of the file.
    """

    points: np.ndarray
    values: np.ndarray
    levels: tuple[Levels, ...]
    names: tuple[str, ...]
    geographic: bool
    notes: tuple[str, ...]
    file_bytes: int

    def back(self, values: np.ndarray) -> np.ndarray:
        """Fitted units `[m, o]` as numbers of the file."""
        columns = zip(self.levels, np.moveaxis(np.asarray(values), -1, 0), strict=True)
        return np.stack([levels.back(column) for levels, column in columns], -1)


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface: triangles, or points of it with their normals.

    Attributes:
        vertices: `[v, 3]`, float64, in the file's own units; no two are equal where there are faces.
        faces: `[f, 3]`, int64, rows of `vertices`, anticlockwise as seen from outside; none of a cloud of points.
        normals: `[v, 3]`, of length 1 and outward, of a cloud of points; `None` where there are faces.
        notes: What was converted, in words.
        file_bytes: Size of the file.
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray | None
    notes: tuple[str, ...]
    file_bytes: int

    @property
    def is_cloud(self) -> bool:
        """Whether it is of points, not of triangles."""
        return self.normals is not None
