"""Bands of rows that are held out together."""

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["bands"]

_BANDS = 24  # eight for each of three folds


def bands(count: int) -> Int[Tensor, " n"]:
    """For each of some rows the number of its band, of 24 nearly equal ones; fewer where there are fewer rows.

    Example:
        >>> bands(48)[:5].tolist(), bands(3).tolist()
        ([0, 0, 1, 1, 2], [0, 1, 2])
    """
    return torch.arange(count) * min(count, _BANDS) // count
