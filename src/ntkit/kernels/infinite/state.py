"""The statistics of a pair of inputs that the rules of the infinite-width limit pass on."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["PairState", "state_of_features"]

# Below this share of the variances, a squared distance got from a matrix product has lost more
# than 1e-10 of its digits, and is computed again from the difference.
_NEAR = 1e-6


@dataclass(frozen=True)
class PairState:
    """Statistics of one unit over the random weights, for every pair at once.

    Tensors of any shapes that broadcast: `[n, m]` and `[n, 1]`, `[1, m]` for a Gram matrix, one
    table and scalars for the lags of a grid.

    The squared distance is carried beside the covariance, because the angle of two near points
    cannot be had from their covariance (half of the digits are lost), and every rule maps squared
    distances to squared distances without cancellation.

    Attributes:
        cov: `E[u v]`, the covariance of the pair (NNGP).
        gap: `E[(u - v)^2]`, equal to `var1 + var2 - 2 cov` and more accurate when small.
        var1: `E[u^2]`.
        var2: `E[v^2]`.
        ntk: Tangent kernel accumulated so far.
    """

    cov: Tensor
    gap: Tensor
    var1: Tensor
    var2: Tensor
    ntk: Tensor


def state_of_features(z1: Tensor, z2: Tensor) -> PairState:
    """The state before the first layer: dot products of features `[n, f]`, `[m, f]`, over `f`.

    O(n m f); no tangent kernel yet.
    """
    f = z1.shape[1]
    cov = z1 @ z2.T / f
    var1 = (z1**2).sum(1)[:, None] / f
    var2 = (z2**2).sum(1)[None, :] / f
    gap = (var1 + var2 - 2 * cov).clamp_min(0)
    i, j = (gap < _NEAR * (var1 + var2)).nonzero(as_tuple=True)
    exact = ((z1[i] - z2[j]) ** 2).sum(1) / f
    gap = gap.index_put((i, j), exact)
    return PairState(cov, gap, var1, var2, torch.zeros_like(cov))
