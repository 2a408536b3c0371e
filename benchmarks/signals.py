"""The photo that the benchmarks fit: scikit-image's astronaut, 512 x 512 RGB in [0, 1]."""

import torch
from skimage.data import astronaut
from torch import Tensor


def photo(size: int = 512) -> Tensor:
    """`[size, size, 3]`, float64; smaller ones are means over blocks."""
    whole = torch.from_numpy(astronaut()).double() / 255
    block = 512 // size
    return whole.reshape(size, block, size, block, 3).mean((1, 3))
