"""Linear systems by conjugate gradients, in any precision, refined in the operator's own."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.base import AbstractLagKernel
from ntkit.operators.base import AbstractOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.solvers.checkpoint import Checkpoint, problem_of
from ntkit.solvers.conjugate_gradients import Krylov, iterate
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.preconditioners import AbstractPreconditioner, Inverse
from ntkit.solvers.residual import largest_relative, residual_of
from ntkit.solvers.residual_bar import ResidualBar
from ntkit.solvers.solution import Solution

__all__ = ["ConjugateGradients"]

_VECTORS = ("x", "r", "p", "rz", "best")
"""Of the state of the recurrence."""


@dataclass(frozen=True)
class ConjugateGradients(AbstractMethod):
    """One product an iteration.

    Args:
        preconditioner: `PivotedCholesky(rank)`, `Nystrom(rank)`, `Circulant()`, or none.
        max_iterations: Products allowed.
        dtype: Precision of the products; the operator's if left out. In float32, of tiled operators
            the kernel is that of the points in float32, and what is reached is checked, and refined,
            in the operator's own precision.
        checkpoint: A folder where the state is written between iterations, at most once in five seconds. The same
            solve goes on from there after its process was killed, and ends with the same result; another one is
            refused. It is removed once the tolerance is reached: a solve that ran out of iterations goes on with
            more.

    Example:
        >>> ConjugateGradients(max_iterations=50)
        ConjugateGradients(preconditioner=None, max_iterations=50, dtype=None, checkpoint=None)
    """

    preconditioner: AbstractPreconditioner | None = None
    max_iterations: int = 1000
    dtype: torch.dtype | None = None
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        replace_fields(self, max_iterations=positive_int("max_iterations", self.max_iterations))

    def solve(
        self,
        operator: AbstractOperator,
        rhs: Tensor,
        *,
        ridge: float,
        tolerance: float,
        progress: bool | None,
    ) -> Solution:
        """Rounds in the precision of `dtype`, each of what the last one left, until it holds in the operator's."""
        dtype = self.dtype or operator.dtype
        inner = operator if dtype == operator.dtype else _in_precision(operator, dtype)
        kept = Checkpoint(
            self.checkpoint,
            lambda: problem_of(operator, ridge, (self.preconditioner, dtype)),
            rhs,
        )
        at = _AfterRound.of(kept.state(), rhs)
        name, words, inverse = "cg", "no preconditioner", None
        with ResidualBar(tolerance, progress) as bar, kept:
            if self.preconditioner is not None:
                inverse, words = self.preconditioner.build(inner, ridge)
                name = f"cg, {self.preconditioner.name}"
            while at.residual > tolerance and at.used < self.max_iterations:
                more, count = _round(
                    at, inner, ridge, tolerance, self.max_iterations, inverse, bar, kept
                )
                before, closer = at.residual, at.x + more.to(rhs.dtype)
                rest, residual = residual_of(operator, rhs, closer, ridge)
                at = replace(at, used=at.used + count, inside=None)
                if not residual < before:
                    break
                at = replace(at, x=closer, rest=rest, residual=residual)
                bar.show(residual)
                if residual > before / 2:
                    break
        kept.end(at.residual <= tolerance)
        if dtype != operator.dtype:
            words += f", products in {str(dtype).removeprefix('torch.')}"
        return Solution(at.x, at.residual <= tolerance, at.residual, at.used, name, words)


def _in_precision(operator: AbstractOperator, dtype: torch.dtype) -> AbstractOperator:
    """The operator with quicker products; of a tiled one, quicker entries too."""
    if isinstance(operator, TiledOperator) and isinstance(operator.kernel, AbstractLagKernel):
        return operator.of_points_in(dtype)
    return operator.to(dtype)


@dataclass(frozen=True, eq=False)
class _AfterRound:
    """Before a round, or within one.

    Attributes:
        x: Solution by the rounds before.
        rest: What they leave of the right-hand sides.
        residual: The largest relative norm of it.
        used: Products of the rounds before.
        inside: Where the round stands.
    """

    x: Tensor
    rest: Tensor
    residual: float
    used: int
    inside: Krylov | None

    @classmethod
    def of(cls, state: dict[str, Tensor] | None, rhs: Tensor) -> "_AfterRound":
        """As it was kept; else at the beginning."""
        if state is None:
            return cls(torch.zeros_like(rhs), rhs, largest_relative(rhs, rhs), 0, None)
        residual, used, best, iteration = state["numbers"].tolist()
        vectors = {name: state[name] for name in _VECTORS}
        inside = Krylov(**vectors, best_residual=best, iteration=int(iteration))
        return cls(state["before"], state["rest"], residual, int(used), inside)

    def state(self, inside: Krylov) -> dict[str, Tensor]:
        """As tensors; the numbers in float64, which holds every count."""
        scalars = [self.residual, self.used, inside.best_residual, inside.iteration]
        numbers = torch.tensor(scalars, dtype=torch.float64)
        return {"before": self.x, "rest": self.rest, "numbers": numbers} | {
            name: getattr(inside, name) for name in _VECTORS
        }


def _round(
    at: _AfterRound,
    inner: AbstractOperator,
    ridge: float,
    tolerance: float,
    max_iterations: int,
    inverse: Inverse | None,
    bar: ResidualBar,
    kept: Checkpoint,
) -> tuple[Tensor, int]:
    """What one run of the recurrence finds of what is left, in the precision of `inner`, and its products."""
    size = at.rest.norm(dim=1, keepdim=True).clamp_min(torch.finfo(at.rest.dtype).tiny)
    least = torch.finfo(inner.dtype).eps ** 0.5 / 2  # what one round may be asked for
    found, count = iterate(
        lambda p: inner.rows(p) + ridge * p,
        (at.rest / size).to(inner.dtype),
        tolerance=max(0.7 * tolerance / at.residual, least),
        max_iterations=max_iterations - at.used,
        preconditioner=inverse,
        on_step=lambda inside: bar.show(inside * at.residual),
        since=at.inside,
        keep=lambda inside: kept.offer(lambda: at.state(inside)),
    )
    return size * found.to(size.dtype), count
