"""The Gaussian of the distance."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.closed.radial import AbstractRadial
from ntkit.kernels.hyperparameter import describe

__all__ = ["RBF"]


class RBF(AbstractRadial):
    """`k(x, x') = exp(-|x - x'|^2 / (2 l^2))`, also called squared exponential.

    The limit of `Stationary(Gaussian(d, m, bandwidth)) / m` as `m` grows, at
    `l = 1 / (2 pi bandwidth)`.

    Args:
        lengthscale: `l`, in units of the coordinates: one number, or one an axis.

    Source: scikit-learn's `RBF(length_scale=l)`, and its `rbf_kernel` at `gamma = 1 / (2 l^2)`;
    Rasmussen and Williams 2006, eq. 4.9.

    Example:
        >>> RBF(2.0)(torch.zeros(1, 2), torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.6065, 0.1353]])
    """

    power = 2

    def profile(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """`exp(-s / 2)` of the squared distance `s`."""
        return torch.exp(-0.5 * distance)  # of one pass, and the same bits as of `-distance / 2`

    def __repr__(self) -> str:
        return f"RBF(lengthscale={describe(self.lengthscale)})"
