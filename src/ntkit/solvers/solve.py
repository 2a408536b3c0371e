"""`(K + ridge I) x = b` for every kind of operator, by the method asked for or by the one that suits."""

import warnings
from dataclasses import replace
from math import log10, sqrt

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from ntkit._core.checks import finite, floating_tensor, non_negative, positive
from ntkit._core.errors import NumericalError
from ntkit.kernels.base import AbstractLagKernel
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.cholesky import cholesky
from ntkit.solvers.conjugate_gradients import iterate, row_sizes
from ntkit.solvers.cost import measured
from ntkit.solvers.methods import AbstractMethod, Auto, Cholesky, ConjugateGradients
from ntkit.solvers.preconditioners import Circulant, Nystrom, PivotedCholesky
from ntkit.solvers.solution import Solution
from ntkit.solvers.tracked import implicit

__all__ = ["choose", "solve"]

_STORED = 2**28
"""Bytes up to which the matrix of a tiled operator is stored and factorised."""

_FACTOR_BYTES = 2**30
"""For the thin factor of a preconditioner."""

_SINGLE = 1e-5
"""Tolerance from which float32 products pay: a second round of them would be needed below it."""

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
        method: `Cholesky()`, `ConjugateGradients(...)`, or `Auto()`: `solution.why` says what it took.
        progress: Whether to show a bar of the digits reached; left out, jobs of more than two seconds
            show one at a terminal.

    Returns:
        `x` in the shape and dtype of `rhs`.

    Raises:
        ValueError: The operator is not square, or `rhs` has not as many rows.

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
    why = ""
    if isinstance(method, Auto):
        method, why = choose(operator, goal)
        why += ": "
    rows = rhs.reshape(n, -1).T
    size = row_sizes(rows)
    b = (rows / size).to(operator.dtype)
    if isinstance(method, ConjugateGradients):
        found = _by_iteration(operator, b, ridge, goal, method, progress)
    else:
        found = _by_cholesky(operator, b, ridge, goal)
    exact, reached, iterations, name, words = found
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
            f"was asked for ({name}; {why}{words}"
            + (f"; {reached:.2g} before `x` was rounded to {rhs.dtype}" if rounded else "")
            + f"). {advice}, or add a ridge"
            + (", or allow more `max_iterations`." if iterations else "."),
            RuntimeWarning,
            stacklevel=3,
        )
    return Solution(
        x.T.reshape(rhs.shape), residual <= limit, residual, iterations, name, why + words
    )


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
    return _residual(wide, rows.double() / size, x.double() / size, ridge)[1]


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


def choose(operator: AbstractOperator, tolerance: float) -> tuple[AbstractMethod, str]:
    """What `Auto()` takes for an operator, and why."""
    n = operator.shape[0]
    if isinstance(operator, CirculantOperator | ToeplitzOperator):
        return ConjugateGradients(Circulant()), "a grid"
    if isinstance(operator, LowRankOperator):
        return ConjugateGradients(PivotedCholesky(operator.rank)), "low rank"
    if isinstance(operator, DenseOperator):
        return Cholesky(), "the matrix is stored"
    if not isinstance(operator, TiledOperator):
        return ConjugateGradients(Nystrom(max(1, min(n // 4, 100)))), "known by products alone"
    if 8 * n**2 <= _STORED:
        return Cholesky(), f"{8 * n**2 / 2**20:.0f} MiB to store"
    single = tolerance >= _SINGLE and isinstance(operator.kernel, AbstractLagKernel)
    dtype = torch.float32 if single else operator.dtype
    # Entries and multiply-adds that are a few products' worth, within the memory.
    rank = min(int(10 * sqrt(n)), _FACTOR_BYTES // (n * dtype.itemsize))
    cost = measured(operator, rank)
    size = f"{8 * n**2 / 2**30:.1f} GiB"
    seconds = f"about {cost.stored:.2g} s, tile by tile {cost.iterated:.2g} s"
    if cost.prefers_stored:
        return Cholesky(), f"{size} to store, {seconds}"
    what = f"{size} are not stored ({seconds})"
    return ConjugateGradients(PivotedCholesky(rank), dtype=dtype), what


def _by_cholesky(
    operator: AbstractOperator, b: Tensor, ridge: float, tolerance: float
) -> tuple[Tensor, float, int, str, str]:
    """Rows, residual, iterations, the method's name, and what is to be said of it."""
    matrix = operator.dense()
    if ridge:
        if isinstance(operator, DenseOperator):  # its own matrix, not one made just now
            matrix = matrix.clone()
        matrix.diagonal().add_(ridge)
    factor = cholesky(matrix)
    del matrix
    x = factor.solve(b.T).T
    # A jitter is refined away where the right-hand side allows it: a product and two solves each.
    rest, residual = _residual(operator, b, x, ridge)
    while residual > tolerance:
        closer = x + factor.solve(rest.T).T
        rest, reached = _residual(operator, b, closer, ridge)
        if not reached < residual / 2:
            break
        x, residual = closer, reached
    words = f"jitter {factor.jitter:.1e}" if factor.jitter else "no jitter"
    return x, residual, 0, "cholesky", words


def _by_iteration(
    operator: AbstractOperator,
    b: Tensor,
    ridge: float,
    tolerance: float,
    method: ConjugateGradients,
    progress: bool | None,
) -> tuple[Tensor, float, int, str, str]:
    """Conjugate gradients in the method's precision, refined in the operator's until it holds there."""
    dtype = method.dtype or operator.dtype
    inner = operator if dtype == operator.dtype else _in_precision(operator, dtype)
    name, words, inverse = "cg", "no preconditioner", None
    with _Bar(tolerance, progress) as bar:
        if method.preconditioner is not None:
            inverse, words = method.preconditioner.build(inner, ridge)
            name = f"cg, {_NAMES[type(method.preconditioner)]}"
        x, rest, residual, used = torch.zeros_like(b), b, _largest(b, b), 0
        least = torch.finfo(dtype).eps ** 0.5 / 2  # what one round may be asked for
        while residual > tolerance and used < method.max_iterations:
            size = rest.norm(dim=1, keepdim=True).clamp_min(torch.finfo(b.dtype).tiny)
            before = residual
            found, count = iterate(
                lambda p: inner.rows(p) + ridge * p,
                (rest / size).to(dtype),
                tolerance=max(0.7 * tolerance / before, least),
                max_iterations=method.max_iterations - used,
                preconditioner=inverse,
                on_step=lambda inside, before=before: bar.show(inside * before),
            )
            used += count
            closer = x + size * found.to(b.dtype)
            closer_rest, residual = _residual(operator, b, closer, ridge)
            if not residual < before:
                residual = before
                break
            x, rest = closer, closer_rest
            bar.show(residual)
            if residual > before / 2:
                break
    if dtype != operator.dtype:
        words += f", products in {str(dtype).removeprefix('torch.')}"
    return x, residual, used, name, words


_NAMES = {PivotedCholesky: "pivoted cholesky", Nystrom: "nystrom", Circulant: "circulant"}


def _in_precision(operator: AbstractOperator, dtype: torch.dtype) -> AbstractOperator:
    """The operator with quicker products; of a tiled one, quicker entries too."""
    if isinstance(operator, TiledOperator) and isinstance(operator.kernel, AbstractLagKernel):
        return operator.of_points_in(dtype)
    return operator.to(dtype)


def _residual(
    operator: AbstractOperator, b: Tensor, x: Tensor, ridge: float
) -> tuple[Tensor, float]:
    """`b - (K + ridge I) x` as rows, and the largest relative norm."""
    rest = b - operator.rows(x) - ridge * x
    return rest, _largest(rest, b)


def _largest(rest: Tensor, b: Tensor) -> float:
    """The largest relative norm of a row.

    Raises:
        NumericalError: It is not finite.
    """
    scale = b.norm(dim=1).clamp_min(torch.finfo(b.dtype).tiny)
    largest = float((rest.norm(dim=1) / scale).max()) if len(b) else 0.0
    if not largest < float("inf"):
        raise NumericalError(
            "`solve`: the residual is not finite: the operator has entries that are NaN, infinite or "
            "too large to square. Look at `operator.diagonal()`."
        )
    return largest


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
