"""Training as a function of the kernel matrix: with its derivative, or with the word that there is none."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.derivatives import first_order, without_derivative
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.scaled import ScaledOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.response import AbstractResponse, Limit
from ntkit.solvers.slopes import divided_differences

__all__ = ["NO_DERIVATIVE", "implicit", "refusing", "source_of", "with_derivative"]

NO_DERIVATIVE = (
    "A derivative of a flow by the kernel, the targets or the start was asked for, and the flow of {} "
    'has none. Pass `structure="dense"`, which has, or work under `torch.no_grad()`.'
)

_SECOND = (
    "A second derivative of a flow was asked for, which has the first alone. Take differences of first "
    "derivatives."
)


def source_of(op: AbstractOperator) -> Tensor | None:
    """A tensor that asks for gradients if the matrix depends on one; None where it does not."""
    found: Tensor | None = None
    if isinstance(op, DenseOperator):
        found = op.matrix
    elif isinstance(op, ToeplitzOperator | CirculantOperator):
        found = op.table
    elif isinstance(op, LowRankOperator):
        found = op.left
    elif isinstance(op, TiledOperator):
        found = op.kernel(op.x1[:1], op.x2[:1]) if torch.is_grad_enabled() else None
    elif isinstance(op, ScaledOperator):
        found = op.scale if op.scale.requires_grad else source_of(op.op)
    return found if found is not None and found.requires_grad else None


def with_derivative(
    matrix: Float[Tensor, "n n"],
    r: Float[Tensor, "c n"],
    responses: Sequence[AbstractResponse],
) -> tuple[Float[Tensor, "t c n"], Float[Tensor, "t c n"]]:
    """`G(K) r` and `H(K) r`, with their first derivatives by `K` and `r`.

    `d f(K) = V (D * (V^T dK V)) V^T` with the divided differences `D` of `f` between eigenvalues:
    eigenvalues that coincide, or nearly do, cost no digits, as they would between eigenvectors.

    Cost: one `eigh`, and `22 n^2` values of a derivative a moment; `n^2` numbers each.

    Source: Daleckii and Krein 1965.
    """
    fixed = matrix.detach()
    values, vectors = torch.linalg.eigh(fixed)
    floor = float(values.abs().max()) * len(values) * torch.finfo(values.dtype).eps
    values = values.clamp_min(0)
    ended = torch.where(values > floor, values, 0)
    moved = vectors.T @ (matrix - fixed) @ vectors  # zero, with a gradient
    inside = r.detach() @ vectors
    shift = (r - r.detach()) @ vectors

    def applied(function: Callable[[Tensor], Tensor], s: Tensor) -> Tensor:
        factors = function(s)
        total = (inside + shift) * factors
        if matrix.requires_grad:
            total = total + inside @ (divided_differences(function, s) * moved)
        return total @ vectors.T

    rows: list[list[Tensor]] = [[], []]
    for response in responses:
        s = ended if isinstance(response, Limit) else values
        for found, function in zip(rows, (response.left, response.learned), strict=True):
            found.append(applied(function, s))
    decay, weights = (first_order(torch.stack(found), _SECOND, matrix, r) for found in rows)
    return decay, weights


def refusing(found: Tensor, op: AbstractOperator, r: Tensor) -> Tensor:
    """A result without derivatives, which says so when one is asked for."""
    source = source_of(op)
    sources = [r] if source is None else [r, source]
    return without_derivative(found, NO_DERIVATIVE.format(f"{op.kind} operators"), *sources)


def implicit(
    x: Tensor,
    inverse: Callable[[Tensor], Tensor],
    op: AbstractOperator,
    rhs: Float[Tensor, "n ..."],
    ridge: float,
) -> Tensor:
    """A solution of `(K + ridge) x = rhs` with its first derivatives by `K` and `rhs`.

    `dx = (K + ridge)^-1 (d rhs - dK x)`.

    Args:
        x: The solution, without gradients.
        inverse: Solves for another right-hand side.
        op: `K`.
        rhs: As it was given.
        ridge: As it was given.
    """
    source = source_of(op)
    if not torch.is_grad_enabled() or (source is None and not rhs.requires_grad):
        return x
    rest = rhs - (op @ x).to(rhs.dtype) - ridge * x
    sources = [t for t in (source, rhs) if t is not None]
    found = x + _Inverse.apply(rest, inverse)
    return first_order(found, _SECOND.replace("flow", "solution"), *sources)


class _Inverse(torch.autograd.Function):
    """Zero, whose derivative is that of a linear solve."""

    @staticmethod
    def forward(ctx: Any, rest: Tensor, inverse: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.inverse = inverse
        return torch.zeros_like(rest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        with torch.no_grad():
            return ctx.inverse(grads[0]), None
