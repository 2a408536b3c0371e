"""Training by gradient flow, predicted from the kernel alone."""

from math import isinf
from typing import Unpack

from torch import Tensor

from ntkit.dynamics.training import AbstractTraining, OptimiserFactory, TrainingOptions
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import AbstractResponse, FlowResponse, Limit

__all__ = ["GradientFlow"]


class GradientFlow(AbstractTraining):
    """Predictions of a network with a fixed kernel, trained by gradient flow on squares.

    `f_t(x) = f_0(x) + K(x, X) phi_t(K) (y - f_0(X))`, `phi_t(K) = K^-1 (1 - exp(-tK))`, for the
    loss `1/2 * sum (f - y)^2` and `t = lr * steps` (`ntkit.training_time` converts others). A ridge
    puts `K + ridge` into `phi_t`.

    Args:
        kernel: Any kernel; read once, so make a new object when it changes.
        points: Training points: a `Grid`, or a tensor `[n, ...]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid, `[*grid.shape]` or
            `[*grid.shape, o]`.
        **options: `f0`, the initial function; `ridge`; `sample_weights`; `structure`, `dtype`,
            `tolerance`, `low_rank_tolerance`, `max_rank`, `on_step`:
            see `ntkit.dynamics.TrainingOptions`.

    Source: Jacot et al. 2018 (arXiv:1806.07572), section 5; Lee et al. 2019 (arXiv:1902.06720),
    eqs. 10-11.

    Example:
        >>> import ntkit, torch
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=64, depth=2)
        >>> grid = ntkit.Grid(64)
        >>> y = torch.sin(2 * torch.pi * grid.points()[::2, 0])
        >>> flow = GradientFlow(ntkit.ntk(net), grid[::2], y)
        >>> flow.predict(grid, [0.0, 1.0, float("inf")]).shape  # times first
        torch.Size([3, 64])
        >>> bool((flow.loss([0.0, 1.0, 10.0]).diff() < 0).all())
        True
    """

    _in_steps = False

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        **options: Unpack[TrainingOptions],
    ) -> None:
        super().__init__(kernel, points, y, options)

    def _response(self, moment: float) -> AbstractResponse:
        return Limit() if isinf(moment) else FlowResponse(moment)

    @property
    def _time_unit(self) -> float:
        return 1.0

    def optimiser(self) -> OptimiserFactory | None:
        """None: a flow has no steps."""
        return None

    def moment(self, step: int, lr: float) -> float:
        """`lr * step`."""
        return lr * step
