"""What the rules that move in steps share: a learning rate and the limit of stability."""

import warnings
from abc import abstractmethod
from math import inf, isinf

from torch import Tensor

from ntkit._core.checks import positive
from ntkit._core.errors import NumericalError
from ntkit.dynamics.training import AbstractTraining, TrainingOptions
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import AbstractResponse, Limit

__all__ = ["AbstractDescent"]


class AbstractDescent(AbstractTraining):
    """A linear rule in steps of a learning rate; moments are whole numbers of steps.

    Args:
        kernel: Any kernel.
        points: Training points.
        y: Targets.
        options: See `TrainingOptions`.
        lr: Learning rate, for the loss `1/2 * sum (f - y)^2`.
        reach: `lr * largest eigenvalue` at which the rule stops to converge.
    """

    _in_steps = True

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        options: TrainingOptions,
        *,
        lr: float,
        reach: float,
    ) -> None:
        super().__init__(kernel, points, y, options)
        self.lr: float = positive("lr", lr)
        self._reach = reach
        if self.lr > self.stability_limit:
            warnings.warn(
                f"`lr={self.lr:.6g}` exceeds the limit of stability {self.stability_limit:.6g}: "
                "training diverges in the modes of the largest eigenvalues.",
                stacklevel=3,
            )

    @property
    def stability_limit(self) -> float:
        """The learning rate above which training diverges.

        From the largest eigenvalue, which operators without eigenvectors know from below.
        """
        largest = self.largest_eigenvalue
        return self._reach / largest if largest else inf  # a kernel that is zero moves nothing

    def moment(self, step: int, lr: float) -> float:
        """The step."""
        return step

    @abstractmethod
    def _after(self, steps: int) -> AbstractResponse:
        """What the rule has done after a number of steps."""

    def _response(self, moment: float) -> AbstractResponse:
        """The rule after a number of steps, or its limit.

        Raises:
            NumericalError: There is no limit.
        """
        if not isinf(moment):
            return self._after(int(moment))
        if self.lr >= self.stability_limit:
            raise NumericalError(
                f"Training does not end: `lr={self.lr:.6g}` is not below the limit of stability "
                f"{self.stability_limit:.6g}. Ask for finite steps, or take a smaller `lr`."
            )
        return Limit()
