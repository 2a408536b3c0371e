"""Kernels of a stated smoothness between the exponential and the Gaussian."""

from collections.abc import Sequence
from math import inf, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.closed.radial import AbstractRadial
from ntkit.kernels.hyperparameter import Hyperparameter, describe
from ntkit.kernels.infinite.activations.pair import safe_sqrt

__all__ = ["Matern"]


class Matern(AbstractRadial):
    """`k(x, x') = p(a) exp(-a)` at `a = sqrt(2 nu) |x - x'| / l`, with a polynomial `p`.

    `p = 1`, `1 + a` and `1 + a + a^2 / 3` for `nu` = 1/2, 3/2 and 5/2; `nu = inf` is
    `exp(-|x - x'|^2 / (2 l^2))`, the RBF kernel. Its functions have `ceil(nu) - 1` derivatives.

    First derivatives in the points are exact; the second ones at coinciding points are not.

    Args:
        nu: 0.5, 1.5, 2.5 or infinity.
        lengthscale: `l`, in units of the coordinates: one number, or one an axis.

    Raises:
        ValueError: `nu` is another number.

    Source: scikit-learn's `Matern(length_scale=l, nu=nu)`; Rasmussen and Williams 2006, eqs.
    4.14-4.17. `nu = 1/2` is the Laplace kernel of Geifman et al. 2020 (arXiv:2007.01580), whose
    spectrum on the sphere falls as that of the ReLU NTK.

    Example:
        >>> x = torch.tensor([[0.0], [1.0]])
        >>> [round(float(Matern(nu)(x)[0, 1]), 4) for nu in (0.5, 1.5, 2.5, float("inf"))]
        [0.3679, 0.4834, 0.524, 0.6065]
    """

    power = 2

    def __init__(self, nu: float, lengthscale: Hyperparameter | Sequence[float] = 1.0) -> None:
        if nu not in {0.5, 1.5, 2.5, inf}:
            raise ValueError(
                f"`nu={nu!r}` must be 0.5, 1.5, 2.5 or infinity: others are no formula."
            )
        super().__init__(lengthscale)
        self.nu: float = float(nu)

    def profile(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The kernel at the squared distance over `l^2`."""
        if self.nu == inf:
            return torch.exp(-distance / 2)
        a = sqrt(2 * self.nu) * safe_sqrt(distance)
        decay = torch.exp(-a)
        if self.nu == 0.5:
            return decay
        return (1 + a) * decay if self.nu == 1.5 else (1 + a + a**2 / 3) * decay

    def __repr__(self) -> str:
        return f"Matern({self.nu:g}, lengthscale={describe(self.lengthscale)})"
