"""Triangle waves in octaves: the cheap relative of NeRF's encoding."""

import torch
from jaxtyping import Float, Real
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding

__all__ = ["TriangleWave"]


class TriangleWave(AbstractEncoding):
    """`tri(2^k x / 2 + k / 4)` of each axis, `k = 0..m-1`: octaves from half a cycle per unit.

    `tri(t) = 4 |t - floor(t) - 1/2| - 1` has period 1, is 1 at whole `t` and -1 halfway, straight lines
    between. Each octave is shifted by a quarter of a period against the one below. The features of
    an axis stand together.

    Dot products of features are not stationary (there is no second wave, shifted by a quarter
    of a period, beside each), so there is no `correlation`; derivatives are steps, and second ones zero.

    Args:
        in_dim: Number of coordinates `d`.
        n_frequencies: Octaves an axis, `m`; the output has `m d` features.

    Attributes:
        frequencies: `[m]`, cycles per unit of coordinate, `2^k / 2`.
        shifts: `[m]`, in periods, `k / 4`.

    Source: Müller et al. 2021 (arXiv:2106.12372); the unit and the shifts are those of
    tiny-cuda-nn's `TriangleWave`.

    Example:
        >>> import torch
        >>> TriangleWave(1, 3)(torch.tensor([[0.0], [0.5], [1.0]]))
        tensor([[ 1.,  0., -1.],
                [ 0.,  0., -1.],
                [-1.,  0., -1.]])
    """

    frequencies: Tensor
    shifts: Tensor

    def __init__(self, in_dim: int, n_frequencies: int) -> None:
        super().__init__()
        self.in_dim: int = positive_int("in_dim", in_dim)
        octaves = torch.arange(positive_int("n_frequencies", n_frequencies))
        self.out_dim: int = self.in_dim * len(octaves)
        self.register_buffer("frequencies", 2.0**octaves / 2)
        self.register_buffer("shifts", octaves / 4)

    @property
    def is_stationary(self) -> bool:
        """False: even the norm depends on the point."""
        return False

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The waves of the first axis, then those of the second, and so on."""
        self.check_input(x)
        if not x.is_floating_point():
            x = x.to(self.frequencies.dtype)
        turns = x[..., None] * self.frequencies.to(x) + self.shifts.to(x)
        return (4 * (turns - turns.floor() - 0.5).abs() - 1).flatten(-2)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        return f"in_dim={self.in_dim}, out_dim={self.out_dim}"
