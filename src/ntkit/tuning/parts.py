"""Parts of a task that scale models are trained on: its rows there, and those to judge by."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.pieces import PIECES, Piece, pieces_of

__all__ = ["Parts", "parts_of", "which_of"]

_TENTH = 10  # of a part is held out where the task holds nothing out
_FEWEST = 64  # rows to train on: a model of fewer would say nothing


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of a task with as many rows each, float32.

    Attributes:
        seen: What is trained on, `[parts, n, k]`, and what was found there, `[parts, n, c]`.
        judged: The same of what is held out.
        seeds: One a part, for the networks on it.
        share: Of the rows of the task that a part is trained on.
        crop: By how much a part is shorter along each axis than the coordinates that its rows have: its own
            from 0 to 1, while the whole's would be shorter by this. 1 where parts are spread over the whole.
    """

    seen: tuple[Float[Tensor, "p n k"], Float[Tensor, "p n c"]]
    judged: tuple[Float[Tensor, "p m k"], Float[Tensor, "p m c"]]
    seeds: tuple[int, ...]
    share: float
    crop: float = 1.0

    def in_whole(self) -> "Parts":
        """The same in coordinates of the whole, from its corner on."""
        (x, y), (u, v) = self.seen, self.judged
        return Parts((x / self.crop, y), (u / self.crop, v), self.seeds, self.share)

    def __len__(self) -> int:
        return len(self.seen[0])


def parts_of(task: AbstractTask, fewer: int, which: Sequence[int]) -> Parts | None:
    """Parts with about `1 / fewer` of the rows that are trained on.

    Of samples pieces as dense as the whole, from all degrees of roughness, each as a cube of its own with
    coordinates from 0 to 1; of other tasks (rays) rows drawn at random. The whole task for `fewer = 1`.

    Args:
        task: What is fitted.
        fewer: How many parts as large would make the whole.
        which: Places in the ranking of eight by roughness.

    Returns:
        The parts; None where they would have too few rows to say anything.
    """
    crop = 1.0
    if fewer == 1 or not isinstance(task, AbstractSamples):
        every = [_drawn(task, fewer, i) for i in which]
    else:
        found = pieces_of(task, fewer)
        pieces = [found[i] for i in which] if found else []
        crop = 1 / max((_extent(task, p) for p in pieces), default=1.0)
        every = [_cut(task, p, crop) for p in pieces]
    if not every or min(len(seen) for seen, *_ in every) < _FEWEST:
        return None
    x, y, u, v = (_stacked(parts) for parts in zip(*every, strict=True))
    return Parts((x, y), (u, v), tuple(which), x.shape[1] / task.n_trained, crop)


def which_of(n: int) -> tuple[int, ...]:
    """So many of the eight places, evenly: the middle one of one."""
    return tuple(int((i + 0.5) * PIECES / n) for i in range(n))


def _extent(task: AbstractSamples, piece: Piece) -> float:
    """The longest side of the box that holds a piece; of boxes of a grid, with the gap to the next one."""
    points = task.points()[torch.cat([piece.seen, piece.held_out])]
    gap = 0.0 if task.grid is None else 1 / torch.tensor(task.grid.shape, dtype=torch.float64)
    return float((points.amax(0) - points.amin(0) + gap).max())


def _cut(task: AbstractSamples, piece: Piece, crop: float) -> tuple[Tensor, ...]:
    """A piece, from its first corner on, in coordinates that are longer by `crop`."""
    points, values = task.points(), task.values.reshape(-1, task.n_outputs)
    corner = points[torch.cat([piece.seen, piece.held_out])].amin(0)
    return tuple(
        rows
        for places in (piece.seen, piece.held_out)
        for rows in (((points[places] - corner) * crop).float(), values[places].float())
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
        first = max(1, len(kept) // _TENTH)
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
