"""What the kernels of a distance have in common: lengths an axis, and tables of lags."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.base import AbstractLagKernel
from ntkit.kernels.closed.distances import manhattan_distances, squared_distances
from ntkit.kernels.closed.points import each, pairs
from ntkit.kernels.hyperparameter import Hyperparameter, in_double, per_axis

__all__ = ["AbstractRadial"]


class AbstractRadial(AbstractLagKernel):
    """`k(x, x') = profile(sum_i |(x - x')_i / l_i|^power)`, 1 where the points coincide.

    Stationary: on a `Grid` it is a block-Toeplitz matrix. Computes in float64 and returns the dtype of
    its input. Points with more axes are flattened.

    Args:
        lengthscale: `l`, in units of the coordinates: a number, a 0-d tensor, or a tensor or sequence
            of one an axis. Gradients reach tensors.

    Attributes:
        power: 2 for squares, 1 for absolute values.

    Example:
        >>> import ntkit
        >>> isinstance(ntkit.kernels.Matern(1.5, 0.2), AbstractRadial)
        True
    """

    power: int

    def __init__(self, lengthscale: Hyperparameter | Sequence[float] = 1.0) -> None:
        self.lengthscale: Hyperparameter = per_axis("lengthscale", lengthscale)

    @abstractmethod
    def profile(self, distance: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The kernel at the sum of powers; infinite slopes at 0 are taken as 0."""

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The kernel of finite points, from distances that keep the digits of near ones."""
        measure = squared_distances if self.power == 2 else manhattan_distances
        return pairs(lambda u, v: self.profile(measure(u, v, self._scale("x1", u))), x1, x2)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Ones."""
        return each(lambda u: u.new_ones(len(u)), x)

    @property
    def is_stationary(self) -> bool:
        """True."""
        return True

    @property
    def has_unit_period(self) -> bool:
        """False."""
        return False

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The kernel at every combination of lags."""
        scale = self._scale("lags", torch.stack([lag.new_zeros(()) for lag in lags])[None])
        scales = scale.expand(len(lags))
        parts = [
            (lag.double() / s).abs() ** self.power for lag, s in zip(lags, scales, strict=True)
        ]
        return self.profile(reduce(lambda table, part: table[..., None] + part, parts))

    def _scale(self, name: str, points: Tensor) -> Tensor:
        """The lengths as a tensor, refused unless they fit the axes of `points`.

        Raises:
            ValueError: There is another number of them.
        """
        scale = in_double(self.lengthscale, points)
        if scale.ndim and len(scale) != points.shape[1]:
            raise ValueError(
                f"`{self!r}` has {len(scale)} lengths, and `{name}` {points.shape[1]} axes. "
                "Pass one length, or one an axis."
            )
        return scale
