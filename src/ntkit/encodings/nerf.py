"""NeRF's positional encoding: octaves along each axis."""

import torch

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractFourier

__all__ = ["NeRF"]


class NeRF(AbstractFourier):
    """Octaves an axis: `2^j / 2` cycles per unit (NeRF's `2^j pi`), `j = 0..L-1`.

    Args:
        in_dim: Number of coordinates `d`.
        n_octaves: `L`; the output has `2 L d` features, and `d` more with `include_input`.
        include_input: Put the raw coordinates in front, as NeRF's code does. The norm of the
            output then depends on the point: `is_stationary` is False, and kernels on top of it
            cannot use the grid engines.

    Source: Mildenhall et al. 2020 (arXiv:2003.08934), eq. 4, for coordinates in [-1, 1].

    Example:
        >>> NeRF(1, n_octaves=3).frequencies.flatten().tolist()
        [0.5, 1.0, 2.0]
        >>> NeRF(3, n_octaves=10, include_input=True)
        NeRF(in_dim=3, out_dim=63, include_input=True: not stationary)
    """

    def __init__(self, in_dim: int, n_octaves: int, include_input: bool = False) -> None:
        d, n = positive_int("in_dim", in_dim), positive_int("n_octaves", n_octaves)
        octaves = 2.0 ** torch.arange(n) / 2
        super().__init__(torch.kron(octaves[:, None], torch.eye(d)), include_input=include_input)
