"""The basic mapping: once around the circle along each axis."""

import torch

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractFourier

__all__ = ["Basic"]


class Basic(AbstractFourier):
    """One frequency an axis: `cos(2 pi x_i), sin(2 pi x_i)`.

    Args:
        in_dim: Number of coordinates.

    Source: Tancik et al. 2020 (arXiv:2006.10739), section 6, "Basic".

    Example:
        >>> import torch
        >>> Basic(1)(torch.tensor([[0.25]])).round(decimals=6).abs()
        tensor([[0., 1.]])
    """

    def __init__(self, in_dim: int) -> None:
        super().__init__(torch.eye(positive_int("in_dim", in_dim)))
