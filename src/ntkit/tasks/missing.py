"""A field with missing samples: which of the known ones to hold out, so that they are like the missing."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["drawn", "like_what_is_missing"]

_SHARE = 0.1
"""Of the known samples, where what is missing cannot be moved over them as it is."""

_MOST = 0.25
"""Of the known samples that the moved pattern may hold out: more would thin them too much."""

_FEWEST = 64
"""Known samples; a tenth of them held out leaves six to judge by, and fewer say nothing."""


def like_what_is_missing(
    mask: Tensor, shape: Sequence[int]
) -> tuple[Bool[Tensor, "..."], Bool[Tensor, "..."]]:
    """Where to train and where to judge, `[*shape]` each, for a field that is known where `mask` is True.

    Holes are judged by holes: the pattern of what is missing, moved by a third of each axis (around the
    border), holds out known samples, if these are at most a quarter of them. Otherwise a tenth of the known
    samples is held out, one by one at random.

    Args:
        mask: Boolean, of the field's shape.
        shape: Of the field.

    Raises:
        TypeError: It is not boolean.
        ValueError: It has another shape, nothing is missing, or too little is known.
    """
    if mask.dtype != torch.bool:
        raise TypeError(f"`mask` must be boolean, got {mask.dtype}: `mask > 0.5` makes it so.")
    if tuple(mask.shape) != tuple(shape):
        raise ValueError(f"`mask` has shape {tuple(mask.shape)}, and the field {tuple(shape)}.")
    known, n = mask.cpu(), int(mask.sum())
    if n < _FEWEST or n == mask.numel():
        raise ValueError(
            f"`mask` is True at {n} of {mask.numel()} samples; at least {_FEWEST} must be known, and one "
            "missing. Without missing samples leave it out."
        )
    moved = (~known).roll([size // 3 for size in shape], list(range(len(shape)))) & known
    if 0 < int(moved.sum()) <= _MOST * n:
        return known & ~moved, moved
    held_out = drawn(known, _SHARE)
    return known & ~held_out, held_out


def drawn(known: Bool[Tensor, "..."], share: float, *, seed: int = 0) -> Bool[Tensor, "..."]:
    """A share of what is known, drawn at random, to the nearest sample.

    Args:
        known: `[*shape]`.
        share: From 0 to 1.
        seed: Of the draw.
    """
    # An order of the known samples, not a number a point: masks are drawn with seed 0 too, and would be this draw.
    places = known.flatten().nonzero()[:, 0]
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(seed))
    found = torch.zeros(known.numel(), dtype=torch.bool)
    found[places[order[: round(share * len(places))]]] = True
    return found.reshape(known.shape)
