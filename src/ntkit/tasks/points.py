"""The job of scattered measurements."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit import figures
from ntkit.grids import Grid
from ntkit.measurements import Samples
from ntkit.tasks import files
from ntkit.tasks.base import Baseline
from ntkit.tasks.domain import Domain, Rendered, evaluated
from ntkit.tasks.files import Scattered
from ntkit.tasks.files.levels import levels_of
from ntkit.tasks.jobs import AbstractJob, job
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.source_options import refuse_unheeded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Points"]

_HELD_OUT = 0.2
"""Share of the points that judge, if the file does not say which."""

_ALONG_AN_AXIS = {1: 1000, 2: 100, 3: 30, 4: 12}
"""Points of a rendering along each axis, if nothing else is asked."""

_NEIGHBOURS = 32
"""Of each point in the thin-plate spline; SciPy solves a system of so many for each point."""

_BASELINE_POINTS = 20_000
"""Above, the spline would take longer than a training."""


@job
class Points(AbstractSamples, AbstractJob):
    """Values at scattered places, by 1 to 4 coordinates, each scaled to [0, 1].

    Longitude and latitude become points of a sphere, so that neither the date line nor the poles are borders.
    A fifth of the points is held out, drawn at random.

    Args:
        source: A table, or the coordinates `[n, d]`.
        values: `[n]` or `[n, o]`, with coordinates that are an array.
        columns: Which columns of a table are coordinates, by name or place.
        targets: Which are values; all others if left out.
        geographic: Whether the first two coordinates are longitude and latitude, in degrees; told from their
            names if left out.

    Raises:
        ValueError: The values do not fit the points.

    Example:
        >>> places = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
        >>> wells = Points(places, places.sum(1))
        >>> wells.in_dim, int(wells.held_out.sum())
        (2, 20)
    """

    kind: ClassVar[str] = "points"
    sample: ClassVar[str] = "point"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".npz")
    least_bandwidth: ClassVar[float] = 0.25  # measurements of a place are often smooth

    def __init__(
        self,
        source: Path | str | np.ndarray | Tensor,
        values: np.ndarray | Tensor | None = None,
        *,
        columns: Sequence[str | int] | None = None,
        targets: Sequence[str | int] | None = None,
        geographic: bool | None = None,
    ) -> None:
        of_files = {"columns": columns, "targets": targets}
        refuse_unheeded(source, of_files=of_files, of_arrays={"values": values})
        if isinstance(source, Path | str):
            table = files.read_points(
                Path(source), columns=columns, values=targets, geographic=geographic
            )
        elif values is None:
            raise ValueError("`Points(points)` needs `values` [n] or [n, o] at the points.")
        else:
            table = _table(np.asarray(source), np.asarray(values), bool(geographic))
        self.domain: Domain = Domain.of_table(table)
        self.notes: tuple[str, ...] = table.notes
        self._points = to_unit(self.domain, torch.from_numpy(table.points))
        everywhere = torch.ones(len(table.points), dtype=torch.bool)
        self.values: Tensor = torch.from_numpy(np.ascontiguousarray(table.values))
        whole = self.train_on(everywhere, ~everywhere).keep_out(_HELD_OUT)
        self.measurement: Samples = whole.measurement
        self.held_out: Tensor = whole.held_out

    @property
    def in_dim(self) -> int:
        """Coordinates of the network: of places on a sphere, one more than in the table."""
        return self._points.shape[1]

    @property
    def grid(self) -> Grid | None:
        """None: the points are scattered."""

    def points(self) -> Float[Tensor, "n d"]:
        """All points."""
        return self._points

    def baseline(self) -> Baseline | None:
        """Thin-plate splines through the 32 nearest points, where SciPy is there and the points are not too many."""
        try:
            from scipy.interpolate import RBFInterpolator
        except ImportError:
            return None
        (x, y), (at, truth) = self.training(), self.judged()
        if not self.judges or len(self._points) > _BASELINE_POINTS or len(x) <= _NEIGHBOURS:
            return None
        try:
            spline = RBFInterpolator(x.numpy(), y.numpy(), neighbors=_NEIGHBOURS)
            found = torch.from_numpy(spline(at.numpy()))
        except (np.linalg.LinAlgError, ValueError):  # points of one line, or one place
            return None
        return Baseline("thin-plate spline", psnr(float((found - truth).square().mean())))

    def scores(
        self, shown: Float[Tensor, "n o"], network: nn.Module | None = None
    ) -> dict[str, float]:
        """The root mean square error on held-out points, in the unit of each column."""
        del network
        at = self.held_out if self.judges else self.measurement.seen
        missed = (shown.double() - self.values)[at].square().mean(0).sqrt()
        d = len(self.domain.names) - self.n_outputs
        names = self.domain.names[d:]
        return {
            f"RMS error of {name}": float(error) * (high - low)
            for name, error, (low, high) in zip(names, missed, self.domain.levels, strict=True)
        }

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Coloured points, curves of a line, or what is fitted against what is true."""
        low, high = self.domain.levels[0]
        fields = [(title, values[:, 0] * (high - low) + low) for title, values in panels]
        names, d = self.domain.names, len(self.domain.low)
        if d > 2 and len(fields) > 1:
            shown = self.held_out if self.judges else self.measurement.seen
            fits = [(title, values[shown]) for title, values in fields[1:]]
            return figures.agreement_figure(fields[0][1][shown], fits, value=names[d])
        places = from_unit(self.domain, self._points)[:, :2]
        aspect = "equal" if self.domain.geographic else "auto"
        labels = names[: places.shape[1]]
        return figures.points_figure(places, fields, labels=labels, value=names[d], aspect=aspect)

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
    ) -> Rendered:
        """The values on a regular grid between the points.

        Args:
            network: Coordinates to values.
            domain: Of the task that it was trained on.
            size: Places along each coordinate.
            crop: From where to where along each, in units of the table.

        Raises:
            ValueError: There is not one for each coordinate.
        """
        d = len(domain.low)
        window = [tuple(map(float, w)) for w in crop or zip(domain.low, domain.high, strict=True)]
        sizes = [_ALONG_AN_AXIS[d]] * d if size is None else [int(n) for n in size]
        if len(window) != d or len(sizes) != d or min(sizes) < 1:
            raise ValueError(f"`size` and `crop` need one entry for each of {d} coordinates.")
        axes = [
            torch.linspace(a, b, n, dtype=torch.float64)
            for (a, b), n in zip(window, sizes, strict=True)
        ]
        places = torch.cartesian_prod(*axes).reshape(-1, d)
        values = evaluated(network, to_unit(domain, places)).double().numpy()
        return Rendered(np.concatenate([places.numpy(), values], 1), domain)

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A table."""
        domain, d = rendered.domain, len(rendered.domain.low)
        table = rendered.values
        return files.write_points(
            path, table[:, :d], domain.numbers(table[:, d:]), names=domain.names
        )


def to_unit(domain: Domain, places: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
    """Places of a table as coordinates of the network."""
    low, high = (torch.tensor(v, dtype=torch.float64) for v in (domain.low, domain.high))
    scaled = (places.double() - low) / (high - low)
    if not domain.geographic:
        return scaled
    longitude, latitude = torch.deg2rad(places[:, :2].double()).unbind(1)
    sphere = torch.stack(
        [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], 1
    )
    return torch.cat([(sphere + 1) / 2, scaled[:, 2:]], 1)


def from_unit(domain: Domain, points: Float[Tensor, "n k"]) -> Float[Tensor, "n d"]:
    """The reverse of `to_unit`."""
    low, high = (torch.tensor(v, dtype=torch.float64) for v in (domain.low, domain.high))
    if not domain.geographic:
        return points * (high - low) + low
    x, y, z = (2 * points[:, :3] - 1).unbind(1)
    angles = torch.stack([torch.atan2(y, x), torch.atan2(z, torch.hypot(x, y))], 1)
    return torch.cat([torch.rad2deg(angles), points[:, 3:] * (high - low)[2:] + low[2:]], 1)


def _table(points: np.ndarray, values: np.ndarray, geographic: bool) -> Scattered:
    """Arrays as what a reader gives.

    Raises:
        ValueError: They do not fit each other, or are not finite.
    """
    points = points[:, None] if points.ndim == 1 else points
    values = values[:, None] if values.ndim == 1 else values
    if points.ndim != 2 or values.ndim != 2 or len(points) != len(values):
        raise ValueError(
            f"`points` {points.shape} and `values` {values.shape} must be [n, d] and [n, o]."
        )
    d, o = points.shape[1], values.shape[1]
    if not 1 <= d <= 4 or len(points) < 8:
        raise ValueError(
            f"`points` {points.shape}: 8 points or more of 1 to 4 coordinates are needed."
        )
    if not np.isfinite(points).all() or not np.isfinite(values).all():
        raise ValueError("`points` and `values` must be finite. Take NaN and infinite rows out.")
    if not np.ptp(values, 0).all():
        raise ValueError("`values` has a column of one constant, which every encoding fits.")
    if geographic:
        _check_degrees(points)
    levels = [levels_of(np.asarray(column, np.float64))[0] for column in values.T]
    unit = np.stack([f.to_unit(c) for f, c in zip(levels, values.T, strict=True)], 1)
    names = tuple([f"x{k}" for k in range(d)] + [f"y{k}" for k in range(o)])
    return Scattered(np.asarray(points, np.float64), unit, tuple(levels), names, geographic, (), 0)


def _check_degrees(points: np.ndarray) -> None:
    """Refuse what is no longitude and latitude.

    Raises:
        ValueError: There is one coordinate, or one is out of range.
    """
    if points.shape[1] < 2 or abs(points[:, 1]).max() > 90 or abs(points[:, 0]).max() > 360:
        raise ValueError(
            f"`points` {points.shape} with `geographic=True` must begin with longitude and latitude, in degrees."
        )
