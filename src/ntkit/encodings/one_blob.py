"""One smooth bump among the bins of each axis."""

import torch
from jaxtyping import Float, Real
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding

__all__ = ["OneBlob"]


class OneBlob(AbstractEncoding):
    """How much of a bump at `x` lies in each of the bins of an axis: the bins of an axis sum to 1.

    The bump is `15/16 n (1 - u^2)^2`, `u = n (t - x)` in [-1, 1], as wide as two bins, and bin `i` is
    `[i/n, (i+1)/n)`. The axis is closed to a circle of length 1: what leaves at 1 comes in at 0.
    Features are twice differentiable, at most four bins of an axis are not zero, and a shift by
    `1/n` moves each bin to the next. For other shifts dot products change a little: not stationary.

    Args:
        in_dim: Number of coordinates `d`, in [0, 1).
        n_bins: `n`, an axis, at least 2; the output has `n d` features. The resolution is one bin,
            `1/n` of a unit.

    Attributes:
        edges: `[n + 1]`, the ends of the bins, in bins.

    Source: Müller et al. 2019 (arXiv:1808.03856), there with a Gaussian bump; the
    quartic bump and the circle are those of tiny-cuda-nn's `OneBlob`. Outside of [0, 1) that one
    leaves the circle; ours goes round it.

    Example:
        >>> import torch
        >>> OneBlob(1, 4)(torch.tensor([[0.375]]))
        tensor([[0.1035, 0.7930, 0.1035, 0.0000]])
    """

    edges: Tensor

    def __init__(self, in_dim: int, n_bins: int) -> None:
        super().__init__()
        self.in_dim: int = positive_int("in_dim", in_dim)
        self.n_bins: int = positive_int("n_bins", n_bins)
        if self.n_bins < 2:
            raise ValueError(f"`n_bins={n_bins}` must be at least 2: one bin is 1 everywhere.")
        self.out_dim: int = self.in_dim * self.n_bins
        self.register_buffer("edges", torch.arange(self.n_bins + 1.0))

    @property
    def is_stationary(self) -> bool:
        """False: dot products are the same again only after a shift by a whole bin."""
        return False

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The bins of the first axis, then those of the second, and so on."""
        self.check_input(x)
        if not x.is_floating_point():
            x = x.to(self.edges.dtype)
        lag = self.edges.to(x) - self.n_bins * x[..., None]
        turn = (lag / self.n_bins + 0.5).floor()  # of the bump on the circle next to this edge
        below = _share_below(lag - self.n_bins * turn)
        # Shares and whole bumps apart: in their sum the shares would lose digits.
        return (below.diff(dim=-1) + turn.diff(dim=-1)).flatten(-2)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        return f"in_dim={self.in_dim}, n_bins={self.n_bins}, out_dim={self.out_dim}"


def _share_below(u: Tensor) -> Tensor:
    """Integral of `15/16 (1 - v^2)^2` over `v` in [-1, u]; 0 and 1 outside of [-1, 1]."""
    u = u.clamp(-1, 1)
    square = u * u
    return u * (15 - square * (10 - 3 * square)) / 16 + 0.5
