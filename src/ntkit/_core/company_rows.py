"""Rows of a batch in whose company a sample that is not on its own shows it."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["few_of", "midpoints", "spread", "telling_rows"]

_MOST = 7
"""Rows at most."""

_FEW = 32
"""Rows that stand for a batch."""

_ENTRIES = 2**22
"""Entries that are looked at: of larger batches, rows spread over them."""


def telling_rows(points: Sequence[Tensor]) -> list[int]:
    """First and last rows, the largest and smallest, the most and least padded; each once.

    Args:
        points: Tensors with the rows along axis 0.
    """
    n = len(points[0])
    found = [0, n - 1]
    kinds = zip(*(_extremes(t) for t in points), strict=True)
    found += [row for kind in kinds for row in kind]
    return list(dict.fromkeys(found))[:_MOST]


def few_of(points: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The telling rows, and some between them: a batch that says as much as all of a large one."""
    rows = [*telling_rows(points), *spread(len(points[0]), _FEW).tolist()]
    return tuple(t[list(dict.fromkeys(rows))] for t in points)


def spread(n: int, most: int) -> Tensor:
    """All of `n` places, or so many of them, from the first to the last."""
    return torch.linspace(0, n - 1, min(n, most), dtype=torch.float64, device="cpu").long()


def _extremes(t: Tensor) -> list[int]:
    width = max(1, t[0].numel())
    rows = spread(len(t), max(16, _ENTRIES // width))
    flat = t.detach()[rows].reshape(len(rows), -1)
    if not flat.shape[1]:
        return [0] * 4
    flat = (flat.abs() if flat.is_complex() else flat).double()
    size = flat.abs().amax(1)
    padding = (flat == flat[:, -1:]).flip(1).cumprod(1).sum(1)
    places = [size.argmax(), padding.argmax(), size.argmin(), padding.argmin()]
    return [int(rows[int(place)]) for place in places]


def midpoints(few: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    """Points half-way from each of two rows to the next one: within the range of the user's own.

    Of a single row, half of it. Whole numbers stay as they are; None if there are no others.
    """
    if not any(t.is_floating_point() or t.is_complex() for t in few):
        return None
    k = min(2, len(few[0]))
    pairs = [(t[:k], t.roll(-1, 0)[:k] if len(t) > 1 else torch.zeros_like(t)) for t in few]
    return tuple(0.5 * (a + b) if a.is_floating_point() or a.is_complex() else a for a, b in pairs)
