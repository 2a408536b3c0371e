"""Joint normal distributions of function values: what ensembles and posteriors are."""

from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Normal"]


@dataclass(frozen=True)
class Normal:
    """Function values at `m` points, each output by itself with the same covariance.

    Attributes:
        mean: `[m]` or `[m, o]`; times first where there are any.
        covariance: `[m, m]`; times first where there are any.

    Example:
        >>> import torch
        >>> Normal(torch.zeros(3), 4 * torch.eye(3)).deviation
        tensor([2., 2., 2.])
    """

    mean: Float[Tensor, "..."]
    covariance: Float[Tensor, "... m m"]

    @property
    def deviation(self) -> Tensor:
        """Standard deviations, in the shape of the mean; variances below zero are rounding."""
        deviation = self.covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
        return deviation.reshape(*deviation.shape, *[1] * self._outputs).expand(self.mean.shape)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """The ends of the central interval that holds each value with probability `level`.

        Raises:
            ValueError: `level` is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"`level={level!r}` must be between 0 and 1, for example 0.95.")
        reach = NormalDist().inv_cdf((1 + level) / 2) * self.deviation
        return self.mean - reach, self.mean + reach

    def sample(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """Draws of all values together, `[count, *mean.shape]`; covariances may be singular."""
        values, vectors = torch.linalg.eigh(self.covariance.double())
        root = vectors * values.clamp_min(0).sqrt()[..., None, :]
        mean = self.mean if self._outputs else self.mean[..., None]
        shape = (count, *mean.shape)
        place = torch.device("cpu") if generator is None else generator.device
        noise = torch.randn(shape, generator=generator, dtype=torch.float64, device=place)
        drawn = mean + (root @ noise.to(root.device)).to(mean)
        return drawn if self._outputs else drawn[..., 0]

    @property
    def _outputs(self) -> int:
        """Axes behind the points: 0 or 1."""
        return self.mean.ndim - (self.covariance.ndim - 1)
