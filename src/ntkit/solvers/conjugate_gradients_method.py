"""Linear systems by conjugate gradients, in any precision, refined in the operator's own."""

from dataclasses import dataclass
from math import log10

import torch
from torch import Tensor
from tqdm import tqdm

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.base import AbstractLagKernel
from ntkit.operators.base import AbstractOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.solvers.conjugate_gradients import iterate
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.preconditioners import AbstractPreconditioner
from ntkit.solvers.residual import largest_relative, residual_of
from ntkit.solvers.solution import Solution

__all__ = ["ConjugateGradients"]


@dataclass(frozen=True)
class ConjugateGradients(AbstractMethod):
    """One product an iteration.

    Args:
        preconditioner: `PivotedCholesky(rank)`, `Nystrom(rank)`, `Circulant()`, or none.
        max_iterations: Products allowed.
        dtype: Precision of the products; the operator's if left out. In float32, of tiled operators
            the kernel is that of the points in float32, and what is reached is checked, and refined,
            in the operator's own precision.

    Example:
        >>> ConjugateGradients(max_iterations=50)
        ConjugateGradients(preconditioner=None, max_iterations=50, dtype=None)
    """

    preconditioner: AbstractPreconditioner | None = None
    max_iterations: int = 1000
    dtype: torch.dtype | None = None

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
        name, words, inverse = "cg", "no preconditioner", None
        with _Bar(tolerance, progress) as bar:
            if self.preconditioner is not None:
                inverse, words = self.preconditioner.build(inner, ridge)
                name = f"cg, {self.preconditioner.name}"
            x, rest, residual, used = torch.zeros_like(rhs), rhs, largest_relative(rhs, rhs), 0
            least = torch.finfo(dtype).eps ** 0.5 / 2  # what one round may be asked for
            while residual > tolerance and used < self.max_iterations:
                size = rest.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rhs.dtype).tiny)
                before = residual
                found, count = iterate(
                    lambda p: inner.rows(p) + ridge * p,
                    (rest / size).to(dtype),
                    tolerance=max(0.7 * tolerance / before, least),
                    max_iterations=self.max_iterations - used,
                    preconditioner=inverse,
                    on_step=lambda inside, before=before: bar.show(inside * before),
                )
                used += count
                closer = x + size * found.to(rhs.dtype)
                closer_rest, residual = residual_of(operator, rhs, closer, ridge)
                if not residual < before:
                    residual = before
                    break
                x, rest = closer, closer_rest
                bar.show(residual)
                if residual > before / 2:
                    break
        if dtype != operator.dtype:
            words += f", products in {str(dtype).removeprefix('torch.')}"
        return Solution(x, residual <= tolerance, residual, used, name, words)


def _in_precision(operator: AbstractOperator, dtype: torch.dtype) -> AbstractOperator:
    """The operator with quicker products; of a tiled one, quicker entries too."""
    if isinstance(operator, TiledOperator) and isinstance(operator.kernel, AbstractLagKernel):
        return operator.of_points_in(dtype)
    return operator.to(dtype)


class _Bar:
    """Digits of the residual reached, of those asked for."""

    def __init__(self, tolerance: float, progress: bool | None) -> None:
        self._digits, self._best = max(0.0, -log10(tolerance)), 0.0
        self._bar = tqdm(
            total=self._digits,
            desc="solve",
            unit="digit",
            delay=2.0 if progress is None else 0.0,
            disable=None if progress is None else not progress,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.1f}/{total:.1f} digits "
            "[{elapsed}<{remaining}{postfix}]",
        )
        self._products = 0

    def __enter__(self) -> "_Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, residual: float) -> None:
        """The relative residual after one more product."""
        self._products += 1
        self._best = min(self._digits, max(self._best, -log10(max(residual, 1e-300))))
        self._bar.set_postfix_str(f"{self._products} products, residual {residual:.1e}", False)
        self._bar.update(self._best - self._bar.n)
