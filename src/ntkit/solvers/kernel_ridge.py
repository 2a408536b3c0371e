"""Kernel ridge regression, by a linear system of all points or on a few centres."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, non_negative, root_weights
from ntkit._core.copies import snapshot
from ntkit._core.executor import Executor, Threads
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel, points_of
from ntkit.kernels.gram import gram
from ntkit.operators.scaled import scaled
from ntkit.solvers.auto_method import Auto
from ntkit.solvers.inducing_points import InducingPoints
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.solution import Solution
from ntkit.solvers.solve import solve

__all__ = ["RidgeFit", "kernel_ridge"]

_AUTO = Auto()


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """The function `sum_j K(x, points_j) weights_j`, and how it was found.

    Attributes:
        kernel: The kernel.
        points: The training points, or the centres.
        solution: `solution.x` are the weights, `[k]` or `[k, o]`; whether they are good enough, and on what evidence.

    Example:
        >>> import ntkit
        >>> x = torch.linspace(0, 1, 50).double()[:, None]
        >>> fit = ntkit.solvers.kernel_ridge(ntkit.kernels.RBF(0.2), x, x[:, 0], ridge=1e-3)
        >>> fit.predict(x[:2]).shape
        torch.Size([2])
    """

    kernel: AbstractKernel
    points: Grid | Tensor
    solution: Solution

    @torch.no_grad()
    def predict(
        self, points: Grid | Tensor, *, executor: Executor | None = None
    ) -> Float[Tensor, "m ..."]:
        """The function at `points`, `[m]` or `[m, o]`, tile by tile.

        Args:
            points: Where, `[m, ...]` or a `Grid`.
            executor: As in `ntkit.gram`.
        """
        weights = self.solution.x
        cross = gram(self.kernel, points, self.points, lazy=True, executor=executor)
        return (cross @ weights).to(weights.dtype)


@torch.no_grad()
def kernel_ridge(
    kernel: AbstractKernel,
    points: Grid | Tensor,
    y: Float[Tensor, "n ..."],
    *,
    ridge: float,
    sample_weights: Tensor | None = None,
    method: AbstractMethod | InducingPoints = _AUTO,
    tolerance: float | None = None,
    executor: Executor | None = None,
    progress: bool | None = None,
) -> RidgeFit:
    """The function that minimises `sum_i w_i (y_i - f(x_i))^2 + ridge |f|^2`, in the norm of the kernel's space.

    Args:
        kernel: Any kernel of two points.
        points: Training points, `[n, ...]` or a `Grid`.
        y: Their values, `[n]` or `[n, o]`.
        ridge: 0 or more; not divided by the number of samples. Falkon's `lambda` is `ridge / n`.
        sample_weights: How many samples each point stands for, `[n]`, 0 or more.
        method: How to solve `(K + ridge I) a = y`, as in `solve`; or `InducingPoints(...)`, whose functions are those of
            a few centres.
        tolerance: Relative residual to reach; as in `solve`.
        executor: As in `ntkit.gram`.
        progress: As in `solve`.

    Raises:
        ValueError: `y` or `sample_weights` does not fit the points.

    There are no derivatives by the kernel or the values; `solve` has them.

    Source: Rasmussen and Williams 2006, section 6.2.

    Example:
        >>> import ntkit
        >>> x = torch.linspace(0, 1, 50).double()[:, None]
        >>> fit = kernel_ridge(ntkit.kernels.RBF(0.2), x, x[:, 0], ridge=1e-3)
        >>> fit.solution.method, fit.solution.converged, bool((fit.predict(x) - x[:, 0]).abs().max() < 0.01)
        ('cholesky', True, True)
    """
    floating_tensor("y", y, ndim=[1, 2])
    finite("y", y)
    if len(y) != len(points):
        raise ValueError(f"`y` has {len(y)} rows, and there are {len(points)} points.")
    ridge = non_negative("ridge", ridge)
    roots = None if sample_weights is None else root_weights(sample_weights, len(y))
    kernel, points = snapshot((kernel, points))
    if isinstance(method, InducingPoints):
        x = points_of(kernel, points)
        centres, found = method.regress(
            kernel,
            x,
            y.to(x.device).double().reshape(len(y), y.shape[1] if y.ndim == 2 else 1),
            ridge=ridge,
            sample_weights=None if roots is None else roots.to(x.device) ** 2,
            tolerance=tolerance,
            executor=executor or Threads(),
            progress=progress,
        )
        weights = found.x.reshape(len(centres), *y.shape[1:]).to(y.dtype)
        return RidgeFit(kernel, centres, replace(found, x=weights))
    matrix = gram(kernel, points, executor=executor)
    scale = None if roots is None else roots.to(matrix.device).reshape(-1, *[1] * (y.ndim - 1))
    found = solve(
        matrix if scale is None else scaled(matrix, scale.reshape(-1)),
        y if scale is None else y * scale,
        ridge=ridge,
        tolerance=tolerance,
        method=method,
        progress=progress,
    )
    return RidgeFit(kernel, points, found if scale is None else replace(found, x=found.x * scale))
