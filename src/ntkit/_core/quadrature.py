"""Gauss and Legendre's rule."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

__all__ = ["legendre"]


@cache
def legendre(count: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights on `[-1, 1]`."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy(nodes), torch.from_numpy(weights)
