"""The exponential of the sum of absolute differences."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.closed.radial import AbstractRadial
from ntkit.kernels.hyperparameter import describe

__all__ = ["Laplace"]


class Laplace(AbstractRadial):
    """`k(x, x') = exp(-sum_i |x_i - x'_i| / l_i)`: a product of one factor an axis.

    In more than one dimension this is not `exp(-|x - x'| / l)` of the Euclidean distance, which the
    literature on neural tangent kernels also calls after Laplace: that one is `Matern(0.5, l)`.

    Args:
        lengthscale: `l`, in units of the coordinates: one number, or one an axis.

    Source: scikit-learn's `laplacian_kernel` at `gamma = 1 / l`, whose own default is `1 / d`;
    Rahimi and Recht 2007, figure 1.

    Example:
        >>> Laplace(2.0)(torch.zeros(1, 2), torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
        tensor([[0.3679, 0.3679]])
    """

    power = 1

    def profile(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """`exp(-s)` of the sum of absolute values `s`."""
        return torch.exp(-distance)

    def __repr__(self) -> str:
        return f"Laplace(lengthscale={describe(self.lengthscale)})"
