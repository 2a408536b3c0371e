"""The sign."""

from math import pi

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import (
    AbstractActivation,
    Dual,
    pair_in_double,
    rounded,
)
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["SignActivation"]


class SignActivation(AbstractActivation):
    """`sign(x)`: `E[s s] = 1 - 2 t / pi` at the angle `t`.

    `E[s' s']` is 0: the derivative that gradient descent sees is 0 almost everywhere, and nothing
    before a sign is trained. (As a limit of steep functions it would be infinite on the diagonal.)

    Source: Cho and Saul 2009, eq. 3 with n = 0.
    """

    is_odd = True
    kinks: tuple[float, ...] = (0.0,)

    def variance(self, var: Tensor) -> Tensor:
        """1, and 0 at a zero vector."""
        return (var > 0).to(var.dtype)

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """Both distances from the angles themselves."""
        dtype, pair = pair.cov.dtype, pair_in_double(pair)
        near, far = pair.angles()
        alive = (pair.norms > 0).to(near.dtype)
        cov = torch.atan2(pair.cov, pair.sine + (1 - alive)) * (2 / pi)
        dual = Dual(
            cov=cov * alive,
            slope=torch.zeros_like(cov) if slope else None,
            apart=near * alive * (4 / pi),
            together=far * alive * (4 / pi),
        )
        return rounded(dual, dtype)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return torch.sign(x)
