"""Training by gradient flow, predicted from the kernel alone."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, non_negative, positive
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel, as_stationary
from ntkit.kernels.gram import DENSE_BYTES, Structure, gram
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.flow import FlowSolution, solve_flow
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky

__all__ = ["FlowStructure", "GradientFlow"]

FlowStructure = Structure | Literal["low-rank"]

_DEFAULT_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-6}


class GradientFlow:
    """Predictions of a network with a fixed kernel, trained by gradient flow on squares.

    `f_t(x) = f_0(x) + K(x, X) phi_t(K) (y - f_0(X))`, `phi_t(K) = K^-1 (1 - exp(-tK))`, for the
    loss `1/2 * sum (f - y)^2` and `t = lr * steps` (`ntkit.training_time` converts others).

    Args:
        kernel: Any kernel.
        points: Training points: a `Grid`, or a tensor `[n, d]`.
        y: Targets: `[n]`, `[n, o]`, or in the shape of the grid, `[*grid.shape]` or
            `[*grid.shape, o]`.
        f0: The initial function, called on points `[m, d]`; zero if left out (a symmetrised
            network).
        structure: As in `ntkit.gram`, or "low-rank": pivoted Cholesky. "auto" takes low rank
            where the points are no grid of a stationary kernel and a dense matrix would exceed
            1 GiB. `flow.kind` says which it is.
        dtype: Precision of the long recurrence on grids; float32 halves its time. The kernel, the top
            of its spectrum and the predictions from it stay float64.
        tolerance: Relative error allowed to truncated series and iterative solves; 1e-8 in float64
            and 1e-6 in float32 by default.
        low_rank_tolerance: Share of the kernel's trace that a low-rank factor may leave out.
        max_rank: Columns of a low-rank factor.
        on_step: Called once a product with the operator, for progress bars.

    Raises:
        ValueError: Shapes do not fit, or entries are not finite.

    Source: Jacot et al. 2018 (arXiv:1806.07572), section 5; Lee et al. 2019 (arXiv:1902.06720),
    eqs. 10-11.

    Example:
        >>> import ntkit
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=64, depth=2)
        >>> grid = ntkit.Grid(64)
        >>> y = torch.sin(2 * torch.pi * grid.points()[::2, 0])
        >>> flow = GradientFlow(ntkit.ntk(net), grid[::2], y)
        >>> flow.predict(grid, [0.0, 1.0, float("inf")]).shape  # times first
        torch.Size([3, 64])
        >>> bool((flow.loss([0.0, 1.0, 10.0]).diff() < 0).all())
        True
    """

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        f0: Callable[[Tensor], Tensor] | None = None,
        structure: FlowStructure = "auto",
        dtype: torch.dtype = torch.float64,
        tolerance: float | None = None,
        low_rank_tolerance: float = 1e-8,
        max_rank: int = 2000,
        on_step: Callable[[], None] | None = None,
    ) -> None:
        if dtype not in _DEFAULT_TOLERANCE:
            raise TypeError(f"`dtype={dtype}` must be torch.float32 or torch.float64.")
        self._kernel, self._points, self._f0, self._on_step = kernel, points, f0, on_step
        self._dtype = dtype
        self._out_dtype = y.dtype
        self._tolerance = positive(
            "tolerance", _DEFAULT_TOLERANCE[dtype] if tolerance is None else tolerance
        )
        self._tail = _output_axes(points, y)
        targets = finite("y", floating_tensor("y", y)).double().reshape(len(points), -1)
        self._residual = targets if f0 is None else targets - self._initial(points)
        if structure == "auto":
            structure = _auto(kernel, points)
        self._factor: Factor | None = None
        if structure == "low-rank":
            self._factor = pivoted_cholesky(
                kernel, _tensor(points), tolerance=low_rank_tolerance, max_rank=max_rank
            )
            self.operator: AbstractOperator = self._factor.operator
        else:
            self.operator = gram(kernel, points, structure=structure)
        self._solved: dict[tuple[float, ...], FlowSolution] = {}

    @property
    def kind(self) -> str:
        """What the kernel matrix is held as: "toeplitz", "circulant", "dense", ..."""
        return self.operator.kind

    @property
    def factor(self) -> Factor | None:
        """The low-rank factor with its stated error, where one is used."""
        return self._factor

    def solution(self, times: Sequence[float] | Tensor) -> FlowSolution:
        """Residuals and expansion weights at `times`, `[t, o, n]`; kept, so asking again is free.

        Raises:
            ValueError: `times` is empty, or one is negative.
        """
        key = tuple(non_negative("times", float(t)) for t in times)
        if not key:
            raise ValueError("`times` is empty; pass at least one, for example `[0.0]`.")
        if key not in self._solved:
            self._solved[key] = solve_flow(
                self.operator,
                self._residual.T,
                key,
                tolerance=self._tolerance,
                dtype=self._dtype,
                on_step=self._on_step,
            )
        return self._solved[key]

    def predict(self, points: Grid | Tensor, times: Sequence[float] | Tensor) -> Tensor:
        """The trained function at `points`, at all `times` at once; the first axis is time.

        Args:
            points: A `Grid` (of a spacing that divides the training grid's, if that is a grid), or
                a tensor `[m, d]`.
            times: Gradient-flow times, infinity included.

        Returns:
            `[t, m]` or `[t, m, o]`; `[t, *grid.shape]` or `[t, *grid.shape, o]` on a grid.
        """
        weights = self.solution(times).weights
        learned = self._expand(points, weights.flatten(0, 1)).reshape(*weights.shape[:2], -1)
        values = learned.transpose(1, 2).double()
        if self._f0 is not None:
            values = values + self._initial(points)
        shape = points.shape if isinstance(points, Grid) else (len(points),)
        return values.reshape(len(values), *shape, *self._tail).to(self._out_dtype)

    def loss(self, times: Sequence[float] | Tensor) -> Tensor:
        """`1/2 * sum (f_t - y)^2` over the training points and outputs, one number a time."""
        return 0.5 * (self.solution(times).decay.double() ** 2).sum((1, 2))

    def _initial(self, points: Grid | Tensor) -> Tensor:
        assert self._f0 is not None
        with torch.no_grad():
            return self._f0(_tensor(points).to(self._out_dtype)).double().reshape(len(points), -1)

    def _expand(self, points: Grid | Tensor, weights: Tensor) -> Tensor:
        """`K(points, train) @ weights` for weights as rows, by the structure that fits."""
        if self._factor is not None:
            features = self._factor.features(self._kernel, _tensor(points)).to(weights)
            return (weights @ self._factor.left.to(weights)) @ features.T
        if not isinstance(points, Grid) or not isinstance(self._points, Grid):
            return self._cross(points, weights)
        if self.kind not in {"toeplitz", "circulant"}:
            return self._cross(points, weights)
        out = weights.new_zeros(len(weights), *points.shape)
        for cut, coset in points.cosets(self._points):
            part = self._cross(coset, weights)
            out[(slice(None), *cut)] = part.reshape(len(weights), *coset.shape)
        return out.flatten(1)

    def _cross(self, points: Grid | Tensor, weights: Tensor) -> Tensor:
        same = points is self._points or (isinstance(points, Grid) and points == self._points)
        cross = self.operator if same else gram(self._kernel, points, self._points)
        return cross.rows(weights)


def _tensor(points: Grid | Tensor) -> Tensor:
    return points.points() if isinstance(points, Grid) else points.double()


def _auto(kernel: AbstractKernel, points: Grid | Tensor) -> FlowStructure:
    """Low rank for many points without grid structure; else what `gram` finds."""
    structured = isinstance(points, Grid) and as_stationary(kernel) is not None
    return "auto" if structured or 8 * len(points) ** 2 <= DENSE_BYTES else "low-rank"


def _output_axes(points: Grid | Tensor, y: Tensor) -> tuple[int, ...]:
    """The axes of `y` behind those of the points.

    Raises:
        ValueError: `y` does not begin with the shape of the points.
    """
    shapes: list[tuple[int, ...]] = [(len(points),)]
    if isinstance(points, Grid):
        shapes.insert(0, points.shape)
    for shape in shapes:
        if tuple(y.shape[: len(shape)]) == tuple(shape) and y.ndim <= len(shape) + 1:
            return tuple(y.shape[len(shape) :])
    raise ValueError(
        f"`y` has shape {tuple(y.shape)}, but the points have {' or '.join(map(str, shapes))}; "
        "one more axis may follow, for outputs."
    )
