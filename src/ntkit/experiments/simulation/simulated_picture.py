"""A picture as something to be scanned: on a fine grid for the scanner, on a coarse one as the truth."""

from math import floor
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.files import read_image

__all__ = ["FINER", "SimulatedPicture", "subject_of"]

FINER = 2
"""Pixels of the fine grid along each side of one of the coarse grid."""


class SimulatedPicture:
    """A picture in the middle of an empty square.

    Attributes:
        fine: `[2 n, 2 n]`, levels from 0 to 1.
        truth: `[n, n]`, means of blocks of it.
    """

    def __init__(self, fine: Float[Tensor, "m m"]) -> None:
        self.fine = fine
        self.truth: Tensor = F.avg_pool2d(fine[None, None], FINER)[0, 0]


def subject_of(path: Path, size: int, share: float) -> SimulatedPicture:
    """The picture of a file, in grey, as large as fits.

    Args:
        path: The file.
        size: Pixels a side of the coarse grid.
        share: Longest diagonal of the picture over the side of the square; above 1 for its longest side alone.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.npy"
        ...     np.save(path, np.linspace(0, 1, 400).reshape(20, 20))
        ...     subject = subject_of(path, 16, share=1.0)
        >>> tuple(subject.fine.shape), tuple(subject.truth.shape)
        ((32, 32), (16, 16))
    """
    values = torch.from_numpy(read_image(path).values)
    grey = values[..., : 3 if values.shape[-1] > 2 else 1].mean(-1)
    height, width = grey.shape
    side = FINER * size
    reach = share * side / (height**2 + width**2) ** 0.5 if share <= 1 else side / max(grey.shape)
    h, w = (max(1, floor(n * reach)) for n in (height, width))
    resized = F.interpolate(
        grey[None, None], (h, w), mode="bilinear", align_corners=False, antialias=True
    )[0, 0].clamp(0, 1)
    fine = grey.new_zeros(side, side)
    middle = FINER * (size // 2) + (FINER - 1) / 2  # the pixel that scans turn around
    top, left = (max(0, min(side - n, round(middle - (n - 1) / 2))) for n in (h, w))
    fine[top : top + h, left : left + w] = resized
    return SimulatedPicture(fine)
