"""The job of a shape: what is inside of a surface."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from ntkit import figures
from ntkit._core.checks import non_negative, positive, positive_int
from ntkit.figures.shading import turntable
from ntkit.grids import Grid
from ntkit.measurements import Samples
from ntkit.tasks import files, shapes
from ntkit.tasks.base import Baseline
from ntkit.tasks.domain import Domain, Rendered, evaluated
from ntkit.tasks.files import Mesh
from ntkit.tasks.jobs import AbstractJob, job
from ntkit.tasks.metrics import AbstractMetric, IntersectionOverUnion
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.shapes.boxes import boxed, window_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Shape"]

_CELLS = 128
"""Of marching cubes along each axis, if nothing else is asked: 2 million evaluations."""

_HELD_OUT = 4  # one point is held out for so many that are trained on
_FEWEST = 64
"""Points of a cloud: with ten neighbours each, fewer make no surface."""

_GRID = 64
"""Along each axis of the grid that the spectrum is explained on: 2 MB of float64."""

_MOST_VOXELS = 84
"""Along each axis of the baseline: 84^3 is the number of weights of 8 layers of 256 on 512 features."""

_FILMS = {".gif", ".mp4", ".webp"}
_FRAME = 0.1  # seconds


@job
class Shape(AbstractSamples, AbstractJob):
    """What is inside of a surface, over points of the unit box: above 0 inside, and not above 0 outside.

    The surface is put into the box [0, 1)^3 by one factor for all axes: its longest side becomes 0.9, its middle the
    middle. Half of the points to train on are uniform in the box, and half near the surface: points of it with normal
    noise of 0.01 of the box along each axis. A quarter as many more of each kind are held out. All are drawn once.

    A network gives occupancy as a logit, trained by cross-entropy; or, with `signed_distance`, the distance from the
    surface in sides of the box, above 0 inside (DeepSDF, Park et al. 2019, has the other sign), trained by the
    absolute error of both clipped to `clamp` (their equation 4). Both are judged by the intersection over union of
    what is above 0.

    Args:
        source: A file (.ply, .obj, .stl, .glb, .off, .npz), or `(vertices, faces)`: `[v, 3]` and whole numbers `[f, 3]`;
            or a cloud of points, `(points, normals)`. What is not watertight is inside where the winding number is
            above 1/2.
        n_points: To train on.
        signed_distance: Whether values are distances.
        clamp: Where distances are clipped, in sides of the box.
        eikonal: Weight of `(|gradient| - 1)^2`, averaged over the batch (Gropp et al. 2020, equation 2), added to the
            loss of distances. The encoding is then computed in each step.
        cells: Of marching cubes along each axis, for the surface of a network that is shown and scored, and that of a cloud.
        up: Which axis is up in pictures; "z" for .stl and "y" otherwise if left out.
        seed: Of the points.

    Raises:
        ValueError: The source is no surface, or an option is out of range, or not for occupancy.

    Example:
        >>> import numpy as np
        >>> corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]) * 1.0
        >>> faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> pyramid = Shape((corners, faces), n_points=400)
        >>> pyramid.solid.inside(np.array([[0.2, 0.2, 0.2], [0.9, 0.9, 0.9]])).tolist()
        [True, False]
    """

    kind: ClassVar[str] = "shape"
    sample: ClassVar[str] = "point"
    depth: ClassVar[int] = 8
    stands_for_samples: ClassVar[bool] = False
    suffixes: ClassVar[tuple[str, ...]] = (
        *(".ply", ".obj", ".glb", ".stl", ".off"),
        *(".gif", ".mp4", ".webp"),
    )
    metric: ClassVar[AbstractMetric] = IntersectionOverUnion()

    def __init__(
        self,
        source: Path | str | tuple[np.ndarray | Tensor, np.ndarray | Tensor],
        *,
        n_points: int = 2**20,
        signed_distance: bool = False,
        clamp: float = 0.1,
        eikonal: float = 0.0,
        cells: int = _CELLS,
        up: Literal["x", "y", "z"] | None = None,
        seed: int = 0,
    ) -> None:
        n = positive_int("n_points", n_points)
        if n < _FEWEST:
            raise ValueError(f"`n_points={n}` must be at least {_FEWEST}.")
        self._eikonal, self._clamp = non_negative("eikonal", eikonal), positive("clamp", clamp)
        if self._eikonal and not signed_distance:
            raise ValueError(
                f"`eikonal={eikonal:g}` is of distances: pass `signed_distance=True`, or leave it out."
            )
        if up not in {None, "x", "y", "z"}:
            raise ValueError(f"`up={up!r}` must be 'x', 'y' or 'z'.")
        self._cells = max(2, positive_int("cells", cells))
        mesh = files.read_shape(Path(source)) if isinstance(source, Path | str) else _mesh(source)
        is_print = isinstance(source, Path | str) and Path(source).suffix.lower() == ".stl"
        low, side = boxed(mesh.vertices)
        self._is_distance = signed_distance
        self.takes_points: bool = not self._eikonal
        self.solid: shapes.AbstractSolid = shapes.solid_of(mesh, low, side, cells=self._cells)
        self._draw(n, seed)
        self.domain: Domain = Domain(
            kind=self.kind,
            shape=(len(self._points),),
            n_outputs=1,
            levels=((0.0, side if signed_distance else 1.0),),
            file_bytes=mesh.file_bytes,
            low=tuple(map(float, low)),
            high=tuple(map(float, low + side)),
            names=("x", "y", "z", "signed distance" if signed_distance else "occupancy"),
            up="xyz".index(up or ("z" if is_print else "y")),
        )
        sides = " x ".join(f"{s:.4g}" for s in np.ptp(mesh.vertices, axis=0))
        box = f"{sides} in units of the file, in a box of {side:.4g}: its longest side is 0.9 of the network's"
        self.notes: tuple[str, ...] = (*mesh.notes, *self.solid.notes, box)

    def _draw(self, n: int, seed: int) -> None:
        """Draw the points, and ask what is inside.

        Raises:
            ValueError: Nothing is.
        """
        held = max(n // _HELD_OUT, 16)
        counts = (n // 2, n - n // 2, held // 2, held - held // 2)
        pools = [
            shapes.pool(self.solid, counts[k], counts[k + 1], np.random.default_rng([seed, k]))
            for k in (0, 2)
        ]
        points = np.concatenate(pools)
        self._points = torch.from_numpy(points)
        self._is_near = torch.repeat_interleave(
            torch.tensor([False, True, False, True]), torch.tensor(counts)
        )
        self.values: Tensor = torch.from_numpy(self._true(points))[:, None]
        if not bool((self.values[:n] > 0).any()):
            raise ValueError(
                f"None of the {n:,} points to train on is inside: the surface encloses nothing, or a layer too thin for "
                "so many points. Close it, or pass a larger `n_points`."
            )
        self.held_out: Tensor = torch.arange(len(points)) >= n
        self.measurement: Samples = Samples.mask(~self.held_out)

    def _true(self, points: np.ndarray) -> np.ndarray:
        """The values at points `[n, 3]`."""
        if self._is_distance:
            return np.clip(self.solid.signed_distance(points), -self._clamp, self._clamp)
        return self.solid.inside(points).astype(np.float64)

    @property
    def in_dim(self) -> int:
        """Three coordinates."""
        return 3

    @property
    def grid(self) -> Grid | None:
        """None: the points are scattered."""

    def on_grid(self) -> Float[Tensor, "n n n 1"]:
        """The values at the centres of 64 cells along each axis."""
        centres = Grid((_GRID,) * 3, origin=0.5 / _GRID).points()
        return torch.from_numpy(self._true(centres.numpy())).reshape(_GRID, _GRID, _GRID, 1)

    def points(self) -> Float[Tensor, "n 3"]:
        """All points: those to train on, uniform and near, then those held out, the same."""
        return self._points

    def loss(self, found: Float[Tensor, "n 1"], true: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
        """Cross-entropy of logits; of distances, the absolute error of both clipped."""
        if self._is_distance:
            return nn.functional.l1_loss(found.clamp(-self._clamp, self._clamp), true)
        return nn.functional.binary_cross_entropy_with_logits(found, true)

    def training_loss(
        self,
        network: nn.Module,
        rows: Float[Tensor, "n k"],
        true: Float[Tensor, "n 1"],
        generator: Generator,
    ) -> Float[Tensor, ""]:
        """The loss of a batch, with the eikonal term if there is one."""
        if not self._eikonal:
            return super().training_loss(network, rows, true, generator)
        at = rows.detach().requires_grad_()
        found = network(at)
        (gradient,) = torch.autograd.grad(found.sum(), at, create_graph=True)
        return self.loss(found, true) + self._eikonal * (gradient.norm(dim=1) - 1).square().mean()

    def loss_in_words(self, loss: float) -> str:
        """What is made small, by its name."""
        name = "clipped error" if self._is_distance else "cross-entropy"
        return f"{name} {loss:.4f}"

    @property
    def truth(self) -> Float[Tensor, "f 3 3"]:
        """The triangles of the surface, in the unit box."""
        return torch.from_numpy(self.solid.triangles)

    def shown(self, network: nn.Module) -> Float[Tensor, "f 3 3"]:
        """The triangles of a network's surface, in the unit box, by marching cubes."""
        return torch.from_numpy(_surface(network, (self._cells,) * 3))

    def scores(
        self, shown: Float[Tensor, "f 3 3"], network: nn.Module | None = None
    ) -> dict[str, float]:
        """IoU of each kind of points, the error of distances, and the chamfer distance of the surfaces.

        The chamfer distance is the mean of both directions, in sides of the box; a network without a surface has none.
        """
        found: dict[str, float] = {}
        if network is not None:
            at = self.held_out if self.judges else self.measurement.seen
            said = evaluated(network, self._points[at]).double()
            true, near = self.values[at], self._is_near[at]
            for name, part in (("near the surface", near), ("of uniform points", ~near)):
                error = self.metric.error(self.metric.sums(said[part], true[part]))
                found[f"IoU {name}"] = self.metric.quality(error)
            if self._is_distance:
                clipped = said.clamp(-self._clamp, self._clamp)
                found["error of the distance (sides of the box)"] = float(
                    (clipped - true).abs().mean()
                )
        if len(shown):
            apart = shapes.chamfer(shown.numpy(), self.solid.triangles)
            found["chamfer distance (sides of the box)"] = apart
        return found

    @classmethod
    def in_words(cls, domain: Domain) -> tuple[str, str]:
        """Of the box of the file's own units."""
        coordinates, values = super().in_words(domain)
        if domain.names[-1] == "occupancy":
            values = "A logit: above 0 inside, and not above 0 outside."
        else:
            values += " Signed distances in units of the file, above 0 inside."
        return coordinates, values

    def frequency(self, bandwidth: float) -> str:
        """In cycles per unit of the file."""
        side = self.domain.high[0] - self.domain.low[0]
        return f"{bandwidth / side:.2g} cycles per unit of the file"

    def baseline(self) -> Baseline | None:
        """The same values on a grid, linear between, with as many numbers as the usual network has weights."""
        if not self.judges:
            return None
        n = min(_MOST_VOXELS, round(self.n_trained ** (1 / 3)))
        at, true = self.judged()
        found = torch.from_numpy(shapes.voxels(self._true, n, at.numpy()))[:, None]
        inside = found - (0.0 if self._is_distance else 0.5)
        error = self.metric.error(self.metric.sums(inside, true))
        return Baseline(f"voxel grid, {n} x {n} x {n}", self.metric.quality(error))

    def film(self, shown: Float[Tensor, "f 3 3"]) -> Float[Tensor, "k h w 3"]:
        """The surface on a turntable."""
        return torch.from_numpy(turntable(shown.numpy(), up=self.domain.up))

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Two sides of each surface."""
        return figures.shapes_figure(panels, up=self.domain.up)

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
    ) -> Rendered:
        """The triangles `[f, 3, 3]` of the surface, in units of the file.

        Args:
            network: Coordinates to a logit or a distance.
            domain: Of the task that it was trained on.
            size: Cells of marching cubes along each axis, or along the longest one alone; 128.
            crop: From where to where along each axis, in units of the file; the surface is closed at the border.
        """
        low, high, cells = window_of(domain, size or (_CELLS,), crop)
        start, side = np.array(domain.low), domain.high[0] - domain.low[0]
        triangles = _surface(network, cells, (low - start) / side, (high - start) / side)
        return Rendered(triangles * side + start, domain)

    @classmethod
    def size_in_words(cls, rendered: Rendered) -> str:
        """Of triangles."""
        return f"{len(rendered.values):,} triangles"

    @staticmethod
    def write(path: Path, rendered: Rendered) -> list[str]:
        """A mesh in units of the file, or a film of it on a turntable."""
        domain = rendered.domain
        if path.suffix.lower() not in _FILMS:
            return files.write_mesh(path, *shapes.indexed(rendered.values))
        side = domain.high[0] - domain.low[0]
        film = turntable((rendered.values - np.array(domain.low)) / side, up=domain.up)
        return files.write_video(path, film, step=_FRAME)


def _surface(
    network: nn.Module,
    cells: Sequence[int],
    low: Sequence[float] | np.ndarray = (0.0, 0.0, 0.0),
    high: Sequence[float] | np.ndarray = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Triangles of where a network is 0."""

    def field(points: np.ndarray) -> np.ndarray:
        return evaluated(network, torch.from_numpy(points))[:, 0].double().numpy()

    return shapes.surface(field, cells, low=low, high=high)


def _mesh(source: tuple[np.ndarray | Tensor, np.ndarray | Tensor]) -> Mesh:
    """Arrays as what a reader gives: whole numbers are faces, others normals.

    Raises:
        ValueError: There are not two.
    """
    if len(source) != 2:
        raise ValueError(
            f"`Shape(source)` has {len(source)} parts: pass a file, `(vertices, faces)`, or `(points, normals)`."
        )
    first, second = (
        part.detach().cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)
        for part in source
    )
    if second.dtype.kind in "iu":
        return files.mesh_of(first, second, name="Shape((vertices, faces))")
    return files.mesh_of(first, None, second, name="Shape((points, normals))")
