"""What a kernel is: Gram matrices of points, and tables of lags where it is stationary."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

__all__ = ["AbstractKernel", "AbstractLagKernel", "as_stationary"]


class AbstractKernel(ABC):
    """A positive semi-definite function of pairs of points."""

    @abstractmethod
    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The Gram matrix of `x1` against `x2` (itself if left out)."""

    @abstractmethod
    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """`k(x_i, x_i)`, without the rest of the matrix."""


class AbstractLagKernel(AbstractKernel):
    """A kernel that may be stationary, and then has a table of lags: the door to the grid engine."""

    @property
    @abstractmethod
    def is_stationary(self) -> bool:
        """Whether the kernel depends on the difference of the points alone."""

    @property
    @abstractmethod
    def has_unit_period(self) -> bool:
        """Whether the kernel is stationary and has period 1 along each axis."""

    @abstractmethod
    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The kernel at every combination of lags, one 1-D tensor an axis, float64.

        Raises:
            ValueError: The kernel is not stationary.
        """


def as_stationary(kernel: AbstractKernel) -> AbstractLagKernel | None:
    """The kernel itself where it is stationary, else None."""
    return kernel if isinstance(kernel, AbstractLagKernel) and kernel.is_stationary else None
