"""Beams: where the lines from a source to the detectors run, view by view; parallel, fan and cone."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import product
from math import inf, prod

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

__all__ = ["AbstractBeam", "DivergentBeam", "ParallelBeam"]


@dataclass(frozen=True, eq=False, kw_only=True)
class AbstractBeam(ABC):
    """Views of a field from several angles, by a detector that turns with the beam.

    Lengths are in one unit; points are relative to the centre of rotation, in the order of the array's axes: `(y, x)`
    with `y` downwards, or `(z, y, x)` with `z` the axis of rotation. At angle `a` the detectors lie along
    `u = (-sin a, cos a)` in `(y, x)`, and the rays of their middle run along `v = (cos a, sin a)`. Detector `j` is at
    `(j - detector_centre) * detector_spacing` along `u`; with rows (in 3-D), those likewise along `z`.

    Attributes:
        angles: `[views]`, in radians, float64.
        n_detectors: Along `u`, and in 3-D rows along `z`.
        detector_spacing: Distance of neighbours, likewise.
        detector_centre: Place of the axis of rotation on the detector, in detectors, likewise.
        detector_width: In units of the spacing.
        n_rays: Lines whose mean a detector sees, along each of its axes; evenly over its width.
    """

    angles: Float[Tensor, " views"]
    n_detectors: tuple[int, ...]
    detector_spacing: tuple[float, ...]
    detector_centre: tuple[float, ...]
    detector_width: float = 1.0
    n_rays: int = 1

    @abstractmethod
    def lines_at(
        self, views: Int[Tensor, " n"], places: Float[Tensor, "n k p"]
    ) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k d"]]:
        """A point and the direction (of length one) of the lines to places on the detector, in units of length."""

    @abstractmethod
    def places_of(self, view: int, points: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Where points are seen on the detector, in units of length."""

    @property
    def ndim(self) -> int:
        """Number of the field's axes, 2 or 3."""
        return len(self.n_detectors) + 1

    def lines(
        self, rows: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k d"]]:
        """Points and directions of the lines of some data, counted through views, detectors and rows."""
        places, left = [], rows
        for axis in reversed(range(len(self.n_detectors))):
            number = (left % self.n_detectors[axis]).double()
            left = left // self.n_detectors[axis]
            places.append((number - self.detector_centre[axis]) * self.detector_spacing[axis])
        middle = torch.stack(places[::-1], -1)
        return self.lines_at(left, middle[:, None] + self._offsets().to(middle))

    def cells_of(self, view: int, points: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Where points are seen on the detector, in detectors: a whole number is the middle of one."""
        place = self.places_of(view, points)
        return place / place.new_tensor(self.detector_spacing) + place.new_tensor(
            self.detector_centre
        )

    def sees(self, points: Float[Tensor, "n d"]) -> Shaped[Tensor, " n"]:
        """Whether points are on the detector in every view."""
        seen = torch.ones(len(points), dtype=torch.bool, device=points.device)
        limits = points.new_tensor(self.n_detectors) - 0.5
        for view in range(len(self.angles)):
            cells = self.cells_of(view, points)
            seen &= ((cells >= -0.5) & (cells <= limits)).all(1)
        return seen

    def __len__(self) -> int:
        """How many data there are."""
        return len(self.angles) * prod(self.n_detectors)

    def __getitem__(self, views: Int[Tensor, " n"]) -> "AbstractBeam":
        """Some of the views."""
        return replace(self, angles=self.angles[views])

    def _offsets(self) -> Float[Tensor, "k p"]:
        """Of the lines of one detector from its middle, in units of length."""
        ratio = (torch.arange(self.n_rays, dtype=torch.float64) + 0.5) / self.n_rays - 0.5
        shares = (ratio * self.detector_width).tolist()
        every = [[share * step for share in shares] for step in self.detector_spacing]
        return torch.tensor(list(product(*every)), dtype=torch.float64)

    def _axes(
        self, views: Int[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"], Float[Tensor, " d"]]:
        """Along the detectors, along the middle ray, and along the axis of rotation."""
        angle = self.angles[views]
        flat = [torch.zeros_like(angle)] * (self.ndim - 2)
        u = torch.stack([*flat, -angle.sin(), angle.cos()], -1)
        v = torch.stack([*flat, angle.cos(), angle.sin()], -1)
        z = torch.zeros(self.ndim, dtype=u.dtype, device=u.device)
        z[0] = 1.0
        return u, v, z


@dataclass(frozen=True, eq=False, kw_only=True)
class ParallelBeam(AbstractBeam):
    """Rays that are parallel in each view. In 3-D, of each plane across the axis of rotation alone."""

    def lines_at(
        self, views: Int[Tensor, " n"], places: Float[Tensor, "n k p"]
    ) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k d"]]:
        """All along the same direction."""
        u, v, z = self._axes(views)
        origin = places[..., :1] * u[:, None]
        if self.ndim == 3:
            origin = origin + places[..., 1:] * z
        return origin, v[:, None].expand_as(origin)

    def places_of(self, view: int, points: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Their distances from the middle ray, and their height."""
        u, _, z = self._axes(torch.tensor([view], device=self.angles.device))
        found = [points @ u[0], points @ z]
        return torch.stack(found[: self.ndim - 1], -1)


@dataclass(frozen=True, eq=False, kw_only=True)
class DivergentBeam(AbstractBeam):
    """Rays from a point, at `source_distance * v` from the centre of rotation; the detector is across from it.

    Attributes:
        source_distance: From the source to the axis of rotation.
        detector_distance: From the axis to the detector.
        is_curved: Whether the detectors are on an arc around the source; their spacing is along it. Else on a plane.
    """

    source_distance: float = inf
    detector_distance: float = 0.0
    is_curved: bool = False

    @property
    def length(self) -> float:
        """From the source to the detector."""
        return self.source_distance + self.detector_distance

    def lines_at(
        self, views: Int[Tensor, " n"], places: Float[Tensor, "n k p"]
    ) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k d"]]:
        """From the source; each one's point is that nearest to the centre of rotation, where digits are best."""
        u, v, z = (axis[:, None] if axis.ndim > 1 else axis for axis in self._axes(views))
        across, ahead = places[..., :1], torch.full_like(places[..., :1], self.length)
        if self.is_curved:
            angle = across / self.length
            across, ahead = self.length * angle.sin(), self.length * angle.cos()
        ray = across * u - ahead * v
        if self.ndim == 3:
            ray = ray + places[..., 1:] * z
        direction = ray / ray.norm(dim=-1, keepdim=True)
        source = self.source_distance * v
        return source - (source * direction).sum(-1, keepdim=True) * direction, direction

    def places_of(self, view: int, points: Float[Tensor, "n d"]) -> Float[Tensor, "n p"]:
        """Where the line from the source through each point meets the detector."""
        u, _, z = self._axes(torch.tensor([view], device=self.angles.device))
        across, ahead = points @ u[0], self.depths(view, points)
        ahead = torch.where(ahead > 0, ahead, torch.nan)  # behind the source: seen nowhere
        place = across / ahead
        found = [torch.atan(place) if self.is_curved else place, points @ z / ahead]
        return self.length * torch.stack(found[: self.ndim - 1], -1)

    def depths(self, view: int, points: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """How far points are from the source along the middle ray."""
        _, v, _ = self._axes(torch.tensor([view], device=self.angles.device))
        return self.source_distance - points @ v[0]
