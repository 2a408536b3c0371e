"""The top of a symmetric operator's spectrum, by Lanczos with full reorthogonalisation."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator

__all__ = ["RitzPairs", "lanczos"]


@dataclass(frozen=True)
class RitzPairs:
    """Approximate eigenpairs, largest first.

    Attributes:
        values: `[k]`, each below an eigenvalue by at most its residual squared over the gap.
        residuals: `[k]`, `|K v - value v|`: an eigenvalue lies within that distance of each value.
        rotation: `[k, k]`, the vectors as columns in the basis.
        basis: `[k, n]`, orthonormal rows.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.tensor([3.0, 1.0]).double()))
        >>> pairs = ntkit.solvers.lanczos(K, steps=2, start=torch.ones(2).double())
        >>> [round(v, 6) for v in pairs.values.tolist()]
        [3.0, 1.0]
    """

    values: Float[Tensor, " k"]
    residuals: Float[Tensor, " k"]
    rotation: Float[Tensor, "k k"]
    basis: Float[Tensor, "k n"]

    def vectors(self, count: int) -> Float[Tensor, "q n"]:
        """The first `count` vectors, orthonormal rows; `k n` multiply-adds each."""
        return self.rotation[:, :count].T @ self.basis


def lanczos(op: AbstractOperator, *, steps: int, start: Float[Tensor, " n"]) -> RitzPairs:
    """Ritz pairs of a symmetric operator after `steps` products with it.

    Args:
        op: Symmetric operator `[n, n]`.
        steps: Products; stops earlier when the Krylov space is exhausted.
        start: First vector; give it weight on every eigenvector that is wanted.

    Cost: `steps` products, `steps * n` numbers of memory, `2 steps^2 n` multiply-adds.

    Source: Golub and Van Loan, Matrix Computations, section 10.1 and theorem 10.1.3.

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.tensor([3.0, 1.0]).double()))
        >>> pairs = lanczos(K, steps=2, start=torch.ones(2).double())
        >>> [round(v, 6) for v in pairs.values.tolist()]
        [3.0, 1.0]
    """
    n = op.shape[0]
    basis = torch.zeros(min(steps, n) + 1, n, dtype=op.dtype, device=op.device)
    basis[0] = start / start.norm()
    alphas: list[float] = []
    betas: list[float] = []
    for k in range(min(steps, n)):
        w = op.rows(basis[k : k + 1])[0]
        alphas.append(float(w @ basis[k]))
        w = w - alphas[-1] * basis[k]
        if k:
            w = w - betas[-1] * basis[k - 1]
        # What the three-term recurrence leaves along the others is rounding: one sweep removes it.
        w = w - (basis[: k + 1] @ w) @ basis[: k + 1]
        betas.append(float(w.norm()))
        if betas[-1] <= torch.finfo(op.dtype).eps * max(map(abs, alphas)):
            break
        basis[k + 1] = w / w.norm()
    size = len(alphas)
    tridiagonal = torch.diag(torch.tensor(alphas, dtype=torch.float64))
    if size > 1:
        off = torch.diag(torch.tensor(betas[: size - 1], dtype=torch.float64), 1)
        tridiagonal = tridiagonal + off + off.T
    values, rotation = torch.linalg.eigh(tridiagonal)
    order = values.argsort(descending=True)
    rotation = rotation[:, order].to(basis)
    return RitzPairs(
        values=values[order].to(op.device),
        residuals=betas[-1] * rotation[-1].abs(),
        rotation=rotation,
        basis=basis[:size],
    )
