"""What the coordinates and the numbers of a field stand for: all that is needed to show and write it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.chunk_sizes import NETWORK_ROWS
from ntkit.grids import Grid
from ntkit.tasks.field_units import FieldUnits
from ntkit.tasks.files import Content, Levels, Scattered
from ntkit.tasks.scene import Scene

__all__ = ["Domain", "Rendered", "evaluated"]

_MOST_SAMPLES = 2**29
"""Of a rendering: 2 GB in float32."""


@dataclass(frozen=True)
class Domain:
    """Of a field on a grid, or of one known at scattered points.

    Attributes:
        kind: The job.
        shape: Samples along each axis; of scattered points, how many.
        n_outputs: Channels.
        levels: For each channel, or for all, which numbers of the file are 0 and 1 in the fitted field.
        units: Unit of each axis.
        spacing: Distance of neighbours along each axis, in these; None where unknown.
        depth: Bits a number of the file.
        file_bytes: Size of the file; 0 for an array.
        affine: Of volumes, 16 numbers: from the index to mm.
        low: Of scattered points: the coordinates, in the file's units, that are 0 ...
        high: ... and 1 in the fitted field.
        names: Of the columns of a table: coordinates, then values.
        geographic: Whether the coordinates are longitude and latitude, which become points of a sphere.
        scene: Of a radiance field: its box, and how it is rendered.
        scale: How many times as many samples a rendering has along each axis, if nothing else is asked.
        up: Of a shape: which axis is up, in pictures.
        field_units: Of a measured field: its scale, bounds and grid.

    Example:
        >>> picture = Domain("image", (8, 12), 3, levels=((0.0, 255.0),))
        >>> picture.extent, picture.numbers(np.array([0.0, 0.5, 1.0])).tolist()
        ([(0.0, 8.0), (0.0, 12.0)], [0.0, 127.5, 255.0])
    """

    kind: str
    shape: tuple[int, ...]
    n_outputs: int
    levels: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    units: tuple[str, ...] = ()
    spacing: tuple[float, ...] | None = None
    depth: int = 8
    file_bytes: int = 0
    affine: tuple[float, ...] | None = None
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    geographic: bool = False
    scale: int = 1
    scene: Scene | None = None
    up: int = 1
    field_units: FieldUnits | None = None
    window: tuple[tuple[float, float], ...] = field(default=())

    @classmethod
    def of_content(cls, kind: str, content: Content, *, scale: int = 1) -> "Domain":
        """That of samples on a grid."""
        affine = content.affine
        return cls(
            kind=kind,
            shape=tuple(content.shape),
            n_outputs=content.n_outputs,
            levels=((content.levels.low, content.levels.high),),
            units=content.units,
            spacing=content.spacing,
            depth=content.depth,
            file_bytes=content.file_bytes,
            affine=None if affine is None else tuple(float(v) for v in affine.ravel()),
            scale=scale,
        )

    @classmethod
    def of_table(cls, content: Scattered) -> "Domain":
        """That of scattered points."""
        low, high = content.points.min(0), content.points.max(0)
        return cls(
            kind="points",
            shape=(len(content.points),),
            n_outputs=content.values.shape[1],
            levels=tuple((level.low, level.high) for level in content.levels),
            file_bytes=content.file_bytes,
            low=tuple(map(float, low)),
            high=tuple(float(h if h > lo else lo + 1) for lo, h in zip(low, high, strict=True)),
            names=content.names,
            geographic=content.geographic,
        )

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Domain":
        """Of a run's JSON."""
        plain = {k: _tupled(v) for k, v in found.items()}
        scene, units = plain.get("scene"), plain.get("field_units")
        plain["field_units"] = units and FieldUnits(**units)
        return cls(**{**plain, "scene": scene and Scene.from_dict(scene)})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @property
    def is_scattered(self) -> bool:
        """Whether it is of scattered points, not of a grid."""
        return bool(self.low)

    @property
    def extent(self) -> list[tuple[float, float]]:
        """From where to where the field reaches along each axis: in samples, of scattered points in their units."""
        if self.is_scattered:
            return list(zip(self.low, self.high, strict=True))
        return [(0.0, float(n)) for n in self.shape]

    @property
    def all_levels(self) -> Levels:
        """The levels of a field whose channels share them."""
        low, high = self.levels[0]
        return Levels(low, high)

    @property
    def matrix(self) -> np.ndarray | None:
        """The affine as `[4, 4]`."""
        return None if self.affine is None else np.array(self.affine).reshape(4, 4)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """A fitted field `[..., o]` in numbers of the file."""
        low, high = np.array(self.levels).T
        return values * (high - low) + low

    def resampled(
        self, shape: Sequence[int] | None = None, crop: Sequence[tuple[float, float]] | None = None
    ) -> "Domain":
        """Another grid over the field, or over a part of it.

        Args:
            shape: Samples along each axis; by default as dense as the file, times `scale`.
            crop: From where to where along each axis, in samples of the file.

        Raises:
            ValueError: It does not fit the axes, or leaves or asks for too much.
        """
        window = tuple((float(a), float(b)) for a, b in crop or self.extent)
        if len(window) != len(self.shape) or any(
            not 0 <= a < b <= n for (a, b), n in zip(window, self.shape, strict=False)
        ):
            raise ValueError(
                f"`crop` must name a start and an end inside of {self._size} samples for each axis, got "
                f"{[list(w) for w in window]}."
            )
        if shape is None:
            shape = [max(1, round((b - a) * self.scale)) for a, b in window]
        sizes = tuple(int(n) for n in shape)
        if len(sizes) != len(self.shape) or min(sizes) < 1:
            raise ValueError(
                f"`size={sizes}` must be {len(self.shape)} numbers of at least 1 sample."
            )
        if np.prod(sizes, dtype=float) * self.n_outputs > _MOST_SAMPLES:
            raise ValueError(
                f"`size={sizes}` is more than a memory holds. Render a part with `--crop`."
            )
        steps = [(b - a) / n for (a, b), n in zip(window, sizes, strict=True)]
        spacing = self.spacing and tuple(
            d * step for d, step in zip(self.spacing, steps, strict=True)
        )
        affine = self.matrix
        if affine is not None:
            change = np.diag([*steps, 1.0])
            change[:3, 3] = [a for a, _ in window]
            affine = tuple(float(v) for v in (affine @ change).ravel())
        return replace(self, shape=sizes, spacing=spacing, affine=affine, window=window, scale=1)

    def grid(self, file_shape: Sequence[int]) -> Grid:
        """The points of a resampled domain in the coordinates of the network.

        Args:
            file_shape: Samples of the file, which are [0, 1) along each axis.
        """
        window = self.window or tuple((0.0, float(n)) for n in file_shape)
        triples = list(zip(window, self.shape, file_shape, strict=True))
        return Grid(
            self.shape,
            origin=[a / whole for (a, _), _, whole in triples],
            spacing=[(b - a) / whole / n for (a, b), n, whole in triples],
        )

    @property
    def _size(self) -> str:
        return " x ".join(map(str, self.shape))


@dataclass(frozen=True, eq=False)
class Rendered:
    """A field, evaluated.

    Attributes:
        values: `[*shape, o]`, in fitted units.
        domain: What they stand for.

    Example:
        >>> import torch, ntkit
        >>> picture = ntkit.tasks.Image(torch.rand(8, 8))
        >>> found = ntkit.fit(picture, encoding=ntkit.encodings.Basic(2), steps=2, width=8, depth=1)
        >>> rendered = found.render(size=(4, 4))
        >>> isinstance(rendered, Rendered), rendered.values.shape
        (True, (4, 4, 1))
    """

    values: np.ndarray
    domain: Domain

    @property
    def numbers(self) -> np.ndarray:
        """In numbers of the file."""
        return self.domain.numbers(self.values)


def evaluated(network: nn.Module, points: Float[Tensor, "n d"]) -> Float[Tensor, "n o"]:
    """What a network gives at points, in their order, on the CPU, some thousands at a time."""
    parameter = next(network.parameters(), None)
    like = torch.zeros(()) if parameter is None else parameter
    with torch.no_grad():
        at_once = NETWORK_ROWS.on(like.device)
        parts = [network(x.to(like)).cpu() for x in points.split(at_once)]
    return torch.cat(parts)


def _tupled(value: Any) -> Any:
    """Lists of JSON as tuples."""
    if isinstance(value, dict):
        return {k: _tupled(v) for k, v in value.items()}
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value
