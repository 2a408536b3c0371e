"""`(K + ridge I) x = b` for every kind of operator, by the method asked for or by the one that suits."""

import warnings
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, kind_of, non_negative, positive
from ntkit._core.errors import NumericalError
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.solvers.auto_method import Auto
from ntkit.solvers.conjugate_gradients import row_sizes
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.residual import residual_of
from ntkit.solvers.solution import Solution
from ntkit.solvers.tracked import implicit

__all__ = ["solve"]

_TOLERANCE = 1e-8
"""Of the relative residual, by default."""

_ROUNDED = 1e-4
"""The same for what is returned where anything is float32: digits that a condition of 1e3 leaves."""

_AUTO = Auto()


def solve(
    operator: AbstractOperator | Float[Tensor, "n n"],
    rhs: Float[Tensor, "n ..."],
    *,
    ridge: float = 0.0,
    tolerance: float | None = None,
    method: AbstractMethod = _AUTO,
    progress: bool | None = None,
) -> Solution:
    """`x` with `(K + ridge I) x = rhs`, all right-hand sides at once, and how good it is.

    What is returned, rounded to the dtype of `rhs`, was checked by a product with `K` in float64;
    where it misses the tolerance, a warning says so and `converged` is False. Entries that are not
    finite, a solution beyond the range of the dtype, and for Cholesky a matrix far from positive
    semi-definite, are a `NumericalError`.

    Args:
        operator: Symmetric positive semi-definite, `[n, n]`; or the matrix itself.
        rhs: `[n]`, or `[n, c]` for several.
        ridge: 0 or more, added to the diagonal.
        tolerance: Relative residual to reach, of each right-hand side; 1e-8 by default. Where
            `operator` or `rhs` is float32 the default holds what is returned to 1e-4 alone: to round
            `x` leaves 6e-8 times the condition number.
        method: `Cholesky()`, `ConjugateGradients(...)`, `BlockDescent(...)`, or `Auto()`, whose `solution.why` says what it took; or
            your own, an `AbstractMethod`.
        progress: Whether to show a bar of the digits reached; left out, jobs of more than two seconds
            show one at a terminal.

    Returns:
        `x` in the shape and dtype of `rhs`.

    Raises:
        ValueError: The operator is not square, or `rhs` has not as many rows.
        TypeError: The method is none.

    Gradients of `x` are those of the solution itself, one more solve each, by `rhs` and by what the
    operator depends on.

    Cost: Cholesky `n^3 / 3` multiply-adds and `2 n^2` numbers; conjugate gradients one product an
    iteration, and the preconditioner's factor.

    Example:
        >>> import ntkit
        >>> grid = ntkit.Grid(64)
        >>> K = ntkit.gram(ntkit.kernels.RBF(0.1), grid)
        >>> found = solve(K, torch.sin(6 * grid.points()[:, 0]), ridge=0.1)
        >>> found.method, found.why, found.converged
        ('cg, circulant', 'a grid: the nearest circulant matrix', True)
    """
    operator = _operator(operator)
    n, m = operator.shape
    if n != m:
        raise ValueError(f"`operator` must be square, got {operator!r}.")
    floating_tensor("rhs", rhs, ndim=[1, 2])
    if len(rhs) != n:
        raise ValueError(f"`rhs` has {len(rhs)} rows, and `operator` is {operator!r}.")
    finite("rhs", rhs)
    ridge = non_negative("ridge", ridge)
    if not isinstance(method, AbstractMethod):
        raise TypeError(
            f"`method` must be `Auto()`, `Cholesky()`, `ConjugateGradients()`, `BlockDescent()` or an `AbstractMethod` of "
            f"your own, got {kind_of(method)}. (`InducingPoints` is for `kernel_ridge`.)"
        )
    goal = _TOLERANCE if tolerance is None else positive("tolerance", tolerance)
    with torch.no_grad():
        found = _solved(operator, rhs, ridge, goal, tolerance is None, method, progress)

    def inverse(b: Tensor) -> Tensor:
        return _solved(operator, b, ridge, goal, True, method, False).x

    return replace(found, x=implicit(found.x, inverse, operator, rhs, ridge))


def _solved(
    operator: AbstractOperator,
    rhs: Tensor,
    ridge: float,
    goal: float,
    is_default: bool,
    method: AbstractMethod,
    progress: bool | None,
) -> Solution:
    """The same for checked arguments, without gradients."""
    n = operator.shape[0]
    wide = operator.dtype == rhs.dtype == torch.float64
    limit = goal if wide or not is_default else _ROUNDED
    rows = rhs.reshape(n, -1).T
    size = row_sizes(rows)
    scaled = (rows / size).to(operator.dtype)
    found = method.solve(operator, scaled, ridge=ridge, tolerance=goal, progress=progress)
    exact, reached = found.x, found.residual
    x = (exact.double() * size.double()).to(rhs.dtype)
    _in_range(x)
    kept = operator.dtype == torch.float64 and bool((x.double() / size.double() == exact).all())
    residual = reached if kept else _after_rounding(operator, rows, x, size, ridge)
    if residual > limit:
        rounded = residual > 2 * reached and reached <= limit
        wider = "Scale `rhs` up" if wide else "Pass `rhs.double()` and an operator in float64"
        advice = wider if rounded else "Ask for less"
        warnings.warn(
            f"`solve` reached a relative residual of {residual:.2g}, and `tolerance={limit:.2g}` "
            f"was asked for ({found.method}; {found.why}"
            + (f"; {reached:.2g} before `x` was rounded to {rhs.dtype}" if rounded else "")
            + f"). {advice}, or add a ridge"
            + (", or allow more `max_iterations`." if found.iterations else "."),
            RuntimeWarning,
            stacklevel=3,
        )
    return replace(found, x=x.T.reshape(rhs.shape), converged=residual <= limit, residual=residual)


def _operator(operator: AbstractOperator | Tensor) -> AbstractOperator:
    """The operator, or that of a matrix.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(operator, AbstractOperator):
        return operator
    if not isinstance(operator, Tensor):
        raise TypeError(
            f"`operator` must be an operator (`ntkit.gram(kernel, points)`) or a matrix, a tensor "
            f"[n, n], got {type(operator).__name__}. Convert with `torch.as_tensor(...)`."
        )
    return DenseOperator(floating_tensor("operator", operator, ndim=[2]))


def _after_rounding(
    operator: AbstractOperator, rows: Tensor, x: Tensor, size: Tensor, ridge: float
) -> float:
    """The largest relative residual of what is returned, in float64 whatever the operator's precision."""
    wide, size = operator.to(torch.float64), size.double()
    return residual_of(wide, rows.double() / size, x.double() / size, ridge)[1]


def _in_range(x: Tensor) -> None:
    """Refuse a solution beyond the range of its dtype.

    Raises:
        NumericalError: An entry is not finite.
    """
    if not bool(torch.isfinite(x).all()):
        way = " Pass `rhs.double()`, or" if x.dtype == torch.float32 else " Scale the kernel up, or"
        raise NumericalError(
            f"`solve`: the solution is beyond the range of {x.dtype}.{way} add a ridge."
        )
