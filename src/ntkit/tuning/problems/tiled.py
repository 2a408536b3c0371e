"""A stationary kernel at points without a lattice: dense, on a few tiles of the domain."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.modes import Modes, Trajectory
from ntkit.kernels.infinite import InfiniteKernel, ntk
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.problems.base import AbstractProblem
from ntkit.tuning.problems.parts import inverse_sum, some

__all__ = ["TiledProblem"]

_WHOLE = 1500  # training points up to which one tile holds them all
_TILES = 4  # whose errors are averaged
_TILE = 800  # training points of each, where there are more
_INNER = 0.7  # of a tile's reach: held-out points beyond it lack neighbours
_JUDGED = 2048  # held-out points of a tile


@dataclass(frozen=True)
class _PointsTile:
    """One tile.

    Attributes:
        values: `[k]`, eigenvalues of the kernel on its training points.
        vectors: `[m, k]`, its eigenvectors.
        inside: `[k, o]`, the targets in them.
        features: `[h, k]`, `K(x, X) V` at its held-out points; no rows where nothing is held out.
        judged: `[h, o]`, the field there.
    """

    values: Tensor
    vectors: Tensor
    inside: Tensor
    features: Tensor
    judged: Tensor

    def square(self, weights: Float[Tensor, " k"]) -> tuple[float, int]:
        """Sum of squared errors for a trajectory's weights at one moment, and how many they are."""
        if len(self.judged):
            missed = self.features @ (weights[:, None] * self.inside) - self.judged
            return float(missed.square().sum()), missed.numel()
        left_out = self.vectors @ (weights[:, None] * self.inside)
        own = (self.vectors**2 @ weights).clamp_min(1e-300)
        missed = left_out / own[:, None]
        return float(missed.square().sum()), missed.numel()


@dataclass(frozen=True, init=False)
class TiledProblem(AbstractProblem):
    """Any points: the kernel is taken on tiles of neighbouring ones, which stand for all.

    A kernel that is short beside a tile has the same eigenvalues on it as on all points, which are as dense;
    the energy of the targets is scaled from the tiles to the whole. The layers' kernels share no
    eigenvectors here, so they are taken as one layer with the parameters of all. Where nothing is held out,
    each point is left out in turn, `(W y)_i / W_ii` (see `PeriodicProblem`).

    Args:
        network: A stationary encoding, then layers.
        task: What is trained on, and judged.

    Cost: `O(m^3)` a tile, of 800 points; up to 1,500 points are one tile.
    """

    modes: Modes
    _tiles: tuple[_PointsTile, ...] = field(repr=False)

    def __init__(self, network: nn.Module, task: AbstractSamples) -> None:
        kernel = ntk(network, variances="default")
        x, y = task.training()
        judged = task.judged()
        scale = torch.tensor(task.axis_counts, dtype=torch.float64)
        tiles = tuple(_tile(kernel, x, y, judged, inner) for inner in _regions(x, scale))
        taken = sum(len(t.vectors) for t in tiles)
        factor = len(x) / taken
        energy = torch.cat([t.inside.square().sum(1) for t in tiles]) * factor
        modes = Modes(
            eigenvalues=torch.cat([t.values for t in tiles])[None],
            energy=energy,
            multiplicity=torch.full_like(energy, factor),
            diagonal=kernel.diag(x[:1]),
            sizes=torch.tensor([float(sum(kernel.layer_sizes()))], dtype=torch.float64),
            norms=inverse_sum(kernel.layer_norms()),
            n_samples=len(x),
            n_outputs=y.shape[1],
        )
        note = "all layers share one learning rate"
        if factor > 1:
            note = f"dense kernel on {len(tiles)} tiles of {len(tiles[0].vectors)} of {len(x):,} points; {note}"
        else:
            note = f"dense kernel on all {len(x):,} points; {note}"
        for name, value in {"modes": modes, "note": note + ".", "_tiles": tiles}.items():
            object.__setattr__(self, name, value)

    def held_out_error(self, run: Trajectory) -> Float[Tensor, " s"]:
        """On the held-out points of the tiles, or on each training point that is left out."""
        errors = []
        sizes = [len(t.values) for t in self._tiles]
        for moment in run.weights[:, 0]:
            parts = zip(self._tiles, moment.split(sizes), strict=True)
            squares, counts = zip(*(t.square(w) for t, w in parts), strict=True)
            errors.append(sum(squares) / max(1, sum(counts)))
        return torch.tensor(errors, dtype=torch.float64)


@dataclass(frozen=True)
class _Region:
    """Which training points are of a tile, and how far from its centre held-out points may lie."""

    index: Tensor
    centre: Tensor
    scale: Tensor
    reach: float

    def holds(self, points: Tensor) -> Tensor:
        return _distance(points, self.centre, self.scale) <= self.reach


def _regions(x: Float[Tensor, "n d"], scale: Float[Tensor, " d"]) -> list[_Region]:
    """One region of all points if these are few, else four that lie far from each other."""
    if len(x) <= _WHOLE:
        return [_Region(torch.arange(len(x)), x[0], scale, float("inf"))]
    centre = x.mean(0)
    nearest = torch.full((len(x),), torch.inf, dtype=torch.float64)
    found = []
    for _ in range(_TILES):
        distance = _distance(x, centre, scale)
        index = distance.topk(_TILE, largest=False).indices
        found.append(_Region(index, centre, scale, _INNER * float(distance[index].max())))
        nearest = torch.minimum(nearest, distance)
        centre = x[int(nearest.argmax())]
    return found


def _distance(points: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
    """Largest distance along an axis, counted in samples: a tile is a box."""
    return ((points - centre).abs() * scale).amax(1)


def _tile(
    kernel: InfiniteKernel, x: Tensor, y: Tensor, judged: tuple[Tensor, Tensor], region: _Region
) -> _PointsTile:
    own, targets = x[region.index], y[region.index]
    values, vectors = torch.linalg.eigh(kernel(own, own).double())
    inside = region.holds(judged[0])
    points, field_there = some(judged[0][inside], judged[1][inside], _JUDGED)
    features = kernel(points, own).double() @ vectors if len(points) else vectors[:0]
    return _PointsTile(values.clamp_min(0), vectors, vectors.T @ targets, features, field_there)
