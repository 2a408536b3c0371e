"""Parts of a task that scale models are trained on: its rows there, and those to judge by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.pieces import HELD_OUT, Piece, pieces_of

__all__ = ["Parts", "parts_of", "quantiles"]

_FEWEST = 64  # rows to train on: a model of fewer would say nothing


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of a task with as many rows each, float32.

    Attributes:
        seen: What is trained on, `[parts, n, k]`, and what was found there, `[parts, n, c]`.
        judged: The same of what is held out.
        seeds: One a part, for the networks on it.
        share: Of the rows of the task that a part is trained on.
        corners: First corner of each part, `[parts, 1, k]`; 0 where parts are spread over the whole.
        crop: By how much a part is shorter along each axis than the whole; 1 where it is spread over it.
    """

    seen: tuple[Float[Tensor, "p n k"], Float[Tensor, "p n c"]]
    judged: tuple[Float[Tensor, "p m k"], Float[Tensor, "p m c"]]
    seeds: tuple[int, ...]
    share: float
    corners: Float[Tensor, "p 1 k"]
    crop: float = 1.0

    def as_cubes(self) -> "Parts":
        """The same with each part as a cube of its own: coordinates from 0 to 1."""
        (x, y), (u, v) = self.seen, self.judged
        x, u = ((rows - self.corners) * self.crop for rows in (x, u))
        return replace(self, seen=(x, y), judged=(u, v), corners=torch.zeros_like(self.corners))

    @property
    def n_rows(self) -> int:
        """Rows of a part that are trained on."""
        return self.seen[0].shape[1]

    def __len__(self) -> int:
        return len(self.seen[0])


def parts_of(task: AbstractTask, fewer: int, which: Sequence[int] | int) -> Parts | None:
    """Parts with about `1 / fewer` of the rows that are trained on.

    Of samples pieces as dense as the whole, where they are in it, from all degrees of roughness; of other tasks
    (rays) rows drawn at random. The whole task for `fewer = 1`.

    Args:
        task: What is fitted.
        fewer: How many parts as large would make the whole.
        which: Places in the ranking of eight by roughness; or how many, which are then so many quantiles of the
            roughness itself: where little of a signal is loud, most of the error is there, and most of the parts.

    Returns:
        The parts; None where they would have too few rows to say anything.
    """
    crop, corners = 1.0, None
    if fewer == 1 or not isinstance(task, AbstractSamples):
        places = range(which) if isinstance(which, int) else which
        every = [_drawn(task, fewer, i) for i in places]
    else:
        found = pieces_of(task, fewer)
        if not found:
            return None
        places = quantiles(found, which) if isinstance(which, int) else which
        pieces = [found[i] for i in places]
        crop = 1 / max(_extent(task, p) for p in pieces)
        every = [_cut(task, p) for p in pieces]
        corners = [_corner(task, p) for p in pieces]
    if min(len(seen) for seen, *_ in every) < _FEWEST:
        return None
    x, y, u, v = (_stacked(parts) for parts in zip(*every, strict=True))
    starts = torch.stack(corners)[:, None].float() if corners else torch.zeros_like(x[:, :1])
    share = x.shape[1] / task.n_trained
    return Parts((x, y), (u, v), tuple(places), share, starts, crop)


def quantiles(pieces: Sequence[Piece], n: int) -> tuple[int, ...]:
    """Places of `n` pieces, smoothest first, at quantiles of the roughness of all together."""
    mass = torch.tensor([p.roughness for p in pieces], dtype=torch.float64).cumsum(0)
    found: list[int] = []
    for i in reversed(range(n)):
        at = int((mass < mass[-1] * (i + 0.5) / n).sum())
        found.append(max(i, min(at, found[-1] - 1 if found else len(pieces) - 1)))
    return tuple(reversed(found))


def _extent(task: AbstractSamples, piece: Piece) -> float:
    """The longest side of the box that holds a piece; of boxes of a grid, with the gap to the next one."""
    points = task.points()[torch.cat([piece.seen, piece.held_out])]
    gap = 0.0 if task.grid is None else 1 / torch.tensor(task.grid.shape, dtype=torch.float64)
    return float((points.amax(0) - points.amin(0) + gap).max())


def _corner(task: AbstractSamples, piece: Piece) -> Tensor:
    return task.points()[torch.cat([piece.seen, piece.held_out])].amin(0)


def _cut(task: AbstractSamples, piece: Piece) -> tuple[Tensor, ...]:
    points, values = task.points(), task.values.reshape(-1, task.n_outputs)
    return tuple(
        rows
        for places in (piece.seen, piece.held_out)
        for rows in (points[places].float(), values[places].float())
    )


def _drawn(task: AbstractTask, fewer: int, seed: int) -> tuple[Tensor, ...]:
    """Rows at random, a share of those trained on and of those held out; all of them for `fewer = 1`.

    Where the task holds nothing out, a tenth of the part is.
    """
    draw = torch.Generator().manual_seed(seed)
    rows, true = task.training()
    kept = _some(len(rows), fewer, draw)
    if task.judges:
        others, theirs = task.judged()
        held_out = _some(len(others), fewer, draw)
    else:
        others, theirs = rows, true
        first = max(1, int(len(kept) * HELD_OUT))
        held_out, kept = kept[:first], kept[first:]
    return (
        rows[kept].float(),
        true[kept].float(),
        others[held_out].float(),
        theirs[held_out].float(),
    )


def _some(n: int, fewer: int, generator: torch.Generator) -> Tensor:
    """Places of `n / fewer` rows at random, in order for all of them."""
    if fewer == 1:
        return torch.arange(n)
    return torch.randperm(n, generator=generator)[: max(1, round(n / fewer))]


def _stacked(parts: Sequence[Tensor]) -> Tensor:
    """As many rows of each, spread evenly: scattered samples do not all have as many."""
    n = min(map(len, parts))
    return torch.stack([
        p if len(p) == n else p[torch.linspace(0, len(p) - 1, n).round().long()] for p in parts
    ])
