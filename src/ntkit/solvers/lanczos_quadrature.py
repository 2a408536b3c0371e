"""Quadrature for the spectral measure of an operator, from products alone."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.operators.base import AbstractOperator

__all__ = ["gauss_rule", "lanczos_coefficients", "radau_coefficients"]


def lanczos_coefficients(
    op: AbstractOperator, starts: Float[Tensor, "c n"], *, steps: int
) -> tuple[Float[Tensor, "c k"], Float[Tensor, "c k-1"]]:
    """The tridiagonal matrix that Lanczos finds from each row of `starts`: diagonal, and beside it.

    All rows share each product. Nothing is reorthogonalised: what rounding does is to split a node of
    `gauss_rule` in two that share its weight, which a sum over them does not notice.

    Args:
        op: Symmetric operator `[n, n]`.
        starts: Vectors as rows, not zero.
        steps: Products, `k`; at most `n` are made.

    Cost: `steps` products of `c` rows; `3 c` vectors of memory.

    Source: Golub and Van Loan, Matrix Computations, section 10.1; Greenbaum 1989 for the rounding.

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.tensor([3.0, 1.0]).double()))
        >>> diagonal, beside = lanczos_coefficients(K, torch.ones(1, 2).double(), steps=2)
        >>> [round(v, 6) for v in diagonal[0].tolist()]
        [2.0, 2.0]
    """
    rows = starts.to(op.dtype)
    current = rows / rows.norm(dim=1, keepdim=True)
    before = torch.zeros_like(current)
    beside = scale = torch.zeros_like(current[:, :1])
    alphas, betas = [], []
    for _ in range(min(positive_int("steps", steps), op.shape[0])):
        image = op.rows(current) - beside * before
        alpha = (image * current).sum(1, keepdim=True)
        image = image - alpha * current
        beside = image.norm(dim=1, keepdim=True)
        # Where the Krylov space ends the rest is rounding, and its direction arbitrary: cut there.
        scale = torch.maximum(scale, alpha.abs())
        beside = torch.where(beside > 8 * torch.finfo(op.dtype).eps * scale, beside, 0.0)
        before, current = current, torch.where(beside > 0, image / beside, 0.0)
        alphas.append(alpha)
        betas.append(beside)
    return torch.cat(alphas, 1), torch.cat(betas, 1)[:, :-1]


def gauss_rule(
    diagonal: Float[Tensor, "c k"], beside: Float[Tensor, "c k-1"]
) -> tuple[Float[Tensor, "c k"], Float[Tensor, "c k"]]:
    """Nodes and weights with `v* g(K) v ~ sum_i weights_i g(nodes_i)` for the unit vector of each row.

    Gauss's rule for the measure that `v` sees, exact for polynomials of degree `2 k - 1`. The leading
    parts of the coefficients give the rules of fewer steps.

    Args:
        diagonal: From `lanczos_coefficients`.
        beside: The same.

    Source: Golub and Welsch 1969; Golub and Meurant 1994, section 3.

    Example:
        >>> from ntkit.operators import DenseOperator
        >>> op = DenseOperator(torch.diag(torch.tensor([1.0, 2.0, 4.0]).double()))
        >>> nodes, weights = gauss_rule(*lanczos_coefficients(op, torch.ones(1, 3), steps=2))
        >>> 3 * (weights * nodes**3).sum()  # 1 + 8 + 64
        tensor(73.0000, dtype=torch.float64)
    """
    off = torch.diag_embed(beside.double(), offset=1)
    nodes, rotation = torch.linalg.eigh(torch.diag_embed(diagonal.double()) + off + off.mT)
    return nodes, rotation[:, 0] ** 2


def radau_coefficients(
    diagonal: Float[Tensor, "c k"], beside: Float[Tensor, "c k-1"]
) -> Float[Tensor, "c k"]:
    """The diagonal with which `gauss_rule` has a node at zero, of an operator with none below.

    Gauss-Radau's rule. For a function whose derivatives alternate in sign, such as `s / (s + ridge)`, it
    errs to the other side than Gauss's: the value of the measure lies between both.

    Args:
        diagonal: From `lanczos_coefficients`.
        beside: The same.

    Source: Golub and Meurant 1994, theorem 3.2 and section 4.

    Example:
        >>> diagonal, beside = torch.tensor([[2.0, 2.0]]).double(), torch.tensor([[1.0]]).double()
        >>> found = radau_coefficients(diagonal, beside)
        >>> matrix = torch.diag(found[0]) + torch.diag(beside[0], 1) + torch.diag(beside[0], -1)
        >>> bool(torch.linalg.eigvalsh(matrix)[0].abs() < 1e-12)  # a node at zero
        True
    """
    alphas, betas = diagonal.double(), beside.double()
    pivot, last = torch.ones_like(alphas[:, 0]), torch.zeros_like(alphas[:, 0])
    for i in range(betas.shape[1]):  # pivots of the part before the last row: last = beta^2 / pivot
        pivot = alphas[:, i] - last
        # At rounding a node is at zero as it is, and there is nothing to be moved.
        safe = pivot > 1e-14 * alphas.abs().amax(1)
        last = torch.where(safe, betas[:, i] ** 2 / torch.where(safe, pivot, 1.0), alphas[:, i + 1])
    return torch.cat([alphas[:, :-1], last[:, None]], 1)
