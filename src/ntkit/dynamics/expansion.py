"""Functions `sum_i K(x, x_i) a_i` over training points: targets, kernel matrices, layouts."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.derivatives import without_derivative
from ntkit._core.executor import Executor
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel, as_stationary, points_of
from ntkit.kernels.empirical import EmpiricalKernel
from ntkit.kernels.gram import DENSE_BYTES, Structure, gram
from ntkit.operators.base import AbstractOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky
from ntkit.solvers.tracked import NO_DERIVATIVE

__all__ = ["Expansion", "FlowStructure", "as_tensor"]

FlowStructure = Structure | Literal["low-rank"]


class Expansion:
    """Kernel expansions over a set of training points, for any kernel and any structure.

    Solvers work on rows, `[c, n]`: one an output; a kernel whose outputs couple (the empirical
    kernel with `outputs="full"`) makes one row of all samples and outputs, `[1, n o]`.

    Args:
        kernel: Any kernel.
        points: Training points.
        n_outputs: Outputs of the functions.
        structure: As in `ntkit.gram`, or "low-rank".
        low_rank_tolerance: Share of the kernel's trace that a low-rank factor may leave out.
        max_rank: Columns of a low-rank factor.
        executor: As in `ntkit.gram`.

    Raises:
        ValueError: The structure does not hold, or the outputs of the kernel are not `n_outputs`.

    Attributes:
        operator: The kernel matrix of the training points.
        factor: The low-rank factor, where one is used.
        is_coupled: Whether the kernel couples outputs.
    """

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        n_outputs: int,
        *,
        structure: FlowStructure = "auto",
        low_rank_tolerance: float = 1e-8,
        max_rank: int = 2000,
        executor: Executor | None = None,
    ) -> None:
        self.kernel = kernel
        self.points = points
        self.n_outputs = n_outputs
        self.is_coupled: bool = isinstance(kernel, EmpiricalKernel) and kernel.outputs == "full"
        self.factor: Factor | None = None
        self._last: tuple[Tensor, AbstractOperator] | None = None
        self._executor = executor
        if structure == "auto" and not self.is_coupled and executor is None:
            structure = _auto(kernel, points)
        if structure == "low-rank":
            with torch.no_grad():
                self.factor = pivoted_cholesky(
                    kernel,
                    as_tensor(kernel, points),
                    tolerance=low_rank_tolerance,
                    max_rank=max_rank,
                )
            self.operator: AbstractOperator = _without_derivative(
                self.factor.operator, kernel, as_tensor(kernel, points)
            )
        else:
            self.operator = gram(kernel, points, structure=structure, executor=executor)
        rows = len(points) * (n_outputs if self.is_coupled else 1)
        if self.operator.shape[0] != rows:
            raise ValueError(
                f"`y` has {n_outputs} outputs, and the kernel couples "
                f"{self.operator.shape[0] // len(points)}."
            )

    def rows(self, values: Float[Tensor, "n o"]) -> Float[Tensor, "c k"]:
        """Values at training points as the rows that solvers take."""
        values = values.to(self.operator.device)
        return values.reshape(1, -1) if self.is_coupled else values.T

    def values(self, rows: Float[Tensor, "t c k"]) -> Float[Tensor, "t m o"]:
        """Rows back as values, the first axis kept."""
        if self.is_coupled:
            return rows.reshape(len(rows), -1, self.n_outputs)
        return rows.transpose(1, 2)

    def __call__(
        self, points: Grid | Tensor, weights: Float[Tensor, "t c k"]
    ) -> Float[Tensor, "t m o"]:
        """The functions with these weights, at `points`, by the structure that fits.

        Raises:
            TypeError: The points are neither a grid nor a tensor.
        """
        if not isinstance(points, Grid | Tensor):
            raise TypeError(
                f"`points` must be a Grid or a torch.Tensor, got {type(points).__name__}. Convert with "
                "`torch.as_tensor(...)`."
            )
        flat = weights.flatten(0, 1)
        learned = self._expanded(points, flat)
        return self.values(learned.reshape(*weights.shape[:2], -1))

    def _expanded(self, points: Grid | Tensor, weights: Tensor) -> Tensor:
        if self.factor is not None:
            features = self.factor.features(self.kernel, as_tensor(self.kernel, points)).to(weights)
            return (weights @ self.factor.left.to(weights)) @ features.T
        if not isinstance(points, Grid) or not isinstance(self.points, Grid):
            return self.cross(points).rows(weights)
        if self.operator.kind not in {"toeplitz", "circulant"}:
            return self.cross(points).rows(weights)
        out = weights.new_zeros(len(weights), *points.shape)
        for cut, coset in points.cosets(self.points):
            part = self.cross(coset).rows(weights)
            out[(slice(None), *cut)] = part.reshape(len(weights), *coset.shape)
        return out.flatten(1)

    def cross(self, points: Grid | Tensor) -> AbstractOperator:
        """The kernel of `points` against the training points; that of the last tensor is kept."""
        if _same(points, self.points):
            return self.operator
        if isinstance(points, Grid):
            return gram(self.kernel, points, self.points, executor=self._executor)
        known = self._last  # looked at once: another thread may put another in its place
        if known is None or not _same(points, known[0]):
            # Values are compared with a copy: numpy and `.data` change a tensor without a word.
            cross = gram(self.kernel, points, self.points, executor=self._executor)
            known = points.detach().clone(), cross
            if not points.requires_grad:
                self._last = known
        return known[1]


def _same(points: Grid | Tensor, known: Grid | Tensor) -> bool:
    """Whether points are known ones: cheap beside any kernel of theirs."""
    if isinstance(points, Grid) or isinstance(known, Grid):
        return isinstance(points, Grid) and isinstance(known, Grid) and points == known
    return (
        not points.requires_grad  # else its gradients are asked for
        and points.dtype == known.dtype
        and points.device == known.device
        and points.layout == known.layout == torch.strided
        and torch.equal(points, known)
    )


def as_tensor(kernel: AbstractKernel, points: Grid | Tensor) -> Tensor:
    """The points, those of a grid where the kernel computes: in float64, unless they are whole numbers.

    Whole numbers, such as token ids, are places in a table, which an embedding takes as they are.
    """
    found = points_of(kernel, points)
    return found.double() if found.is_floating_point() else found


def _without_derivative(
    op: LowRankOperator, kernel: AbstractKernel, points: Tensor
) -> LowRankOperator:
    """A factor, which was chosen column by column, says that it has no derivative."""
    if not torch.is_grad_enabled():
        return op
    why = NO_DERIVATIVE.format("low-rank factors")
    left = without_derivative(op.left, why, kernel(points[:1]))
    return LowRankOperator(left)


def _auto(kernel: AbstractKernel, points: Grid | Tensor) -> FlowStructure:
    """Low rank for many points without grid structure; else what `gram` finds."""
    structured = isinstance(points, Grid) and as_stationary(kernel) is not None
    return "auto" if structured or 8 * len(points) ** 2 <= DENSE_BYTES else "low-rank"
