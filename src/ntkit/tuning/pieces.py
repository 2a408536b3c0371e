"""Pieces of a task: boxes that hold a share of its training samples, as dense as the whole."""

from dataclasses import dataclass
from itertools import product
from math import ceil, prod

import torch
from torch import Tensor

from ntkit.grids import Grid
from ntkit.tasks.samples import AbstractSamples

__all__ = ["HELD_OUT", "PIECES", "Piece", "pieces_of"]

PIECES = 8
"""Of a task, each with models of its own."""

HELD_OUT = 0.1
"""Share of the training samples of a piece that is held out where the task itself holds nothing out."""

_FEWEST = 16  # held-out samples of a piece that say something


@dataclass(frozen=True)
class Piece:
    """A part of a task.

    Attributes:
        seen: Places of its training samples in the flattened field.
        held_out: Places of its held-out samples.
        roughness: Mean square of the differences of neighbouring values.
    """

    seen: Tensor
    held_out: Tensor
    roughness: float


def pieces_of(task: AbstractSamples, fewer: int) -> list[Piece]:
    """Eight pieces with about `1 / fewer` of the training samples each, evenly through the ranking by roughness.

    Nothing where there are no eight boxes with samples to train on and to judge.
    """
    grid = task.grid
    found = _boxes(task, grid, fewer) if grid is not None else _neighbourhoods(task, fewer)
    found = [p for p in found if len(p.seen) and len(p.held_out) >= _FEWEST]
    if len(found) < PIECES:
        return []
    typical = sorted(len(p.seen) for p in found)[len(found) // 2]
    full = [p for p in found if len(p.seen) >= typical / 2]
    full.sort(key=lambda p: p.roughness)
    return [full[int((i + 0.5) * len(full) / PIECES)] for i in range(PIECES)]


def _boxes(task: AbstractSamples, grid: Grid, fewer: int) -> list[Piece]:
    """Boxes side by side, with an even number of samples along each axis."""
    shape = grid.shape
    factor = fewer ** (1 / len(shape))
    size = tuple(2 * max(1, round(n / factor / 2)) for n in shape)
    places = torch.arange(prod(shape)).reshape(shape)
    found = []
    for corner in product(*(range(0, n - s + 1, s) for n, s in zip(shape, size, strict=True))):
        cut = tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))
        values = task.values[cut]
        rough = sum(float(values.diff(dim=axis).square().mean()) for axis in range(len(shape)))
        own = places[cut]
        seen = own[task.measurement.seen[cut]]
        found.append(_piece(seen, own[task.held_out[cut]], rough, judges=task.judges))
    return found


def _neighbourhoods(task: AbstractSamples, fewer: int) -> list[Piece]:
    """The nearest samples to some of them, and what is held out among these."""
    points = task.points() * torch.tensor(task.axis_counts, dtype=torch.float64)
    seen, judged = task.measurement.index, task.held_out.flatten().nonzero()[:, 0]
    values = task.values.reshape(-1, task.n_outputs)
    size = ceil(len(seen) / fewer)
    draw = torch.Generator().manual_seed(0)
    found = []
    for k in torch.randperm(len(seen), generator=draw)[: 4 * PIECES].tolist():
        distance = (points[seen] - points[seen[k]]).abs().amax(1)
        near = distance.topk(size, largest=False)
        own = seen[near.indices]
        within = (points[judged] - points[seen[k]]).abs().amax(1) <= near.values.max()
        rough = float(values[own].var(0).sum()) if size > 1 else 0.0
        found.append(_piece(own, judged[within], rough, judges=task.judges))
    return found


def _piece(seen: Tensor, held_out: Tensor, roughness: float, *, judges: bool) -> Piece:
    """A piece; where the task holds nothing out, a tenth of it is."""
    if judges:
        return Piece(seen, held_out, roughness)
    draw = torch.rand(len(seen), generator=torch.Generator().manual_seed(0))
    return Piece(seen[draw >= HELD_OUT], seen[draw < HELD_OUT], roughness)
