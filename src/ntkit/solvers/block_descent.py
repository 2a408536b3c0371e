"""Linear systems block by block: what a few rows miss is mended by the factor of their own block."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.scaled import ScaledOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.solvers.checkpoint import Checkpoint, problem_of
from ntkit.solvers.cholesky import cholesky
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.residual import largest_relative, residual_of
from ntkit.solvers.residual_bar import ResidualBar
from ntkit.solvers.solution import Solution

__all__ = ["BlockDescent"]


@dataclass(frozen=True)
class BlockDescent(AbstractMethod):
    """Random blocks of rows, each solved for with all others fixed; a pass takes every row once.

    The error in the norm of `K + ridge I` never grows, and no step length has to be chosen. What it needs beside the
    points is the solution and the factor of one block, where conjugate gradients keep five vectors and the columns of a
    preconditioner: it is for systems whose preconditioner does not fit. A residual of 1e-2 to 1e-3, at which a
    regression mostly predicts as the exact solution does, takes some ten to twenty passes; 1e-8 is for conjugate
    gradients.

    The residual that is shown is that of each block before it is mended, over a pass: a sample, free of charge. Where
    it comes near to the tolerance a whole product measures the residual of all rows, which is what the solution reports.

    Args:
        block: Rows of a block: more take fewer passes, `8 block^2` bytes and `n block^2 / 3` multiply-adds a pass.
        max_passes: Passes allowed.
        checkpoint: A folder, as in `ConjugateGradients`, written between blocks.

    Cost: `n^2` kernel entries a pass, `n^2 / 2` for the whole product; `4 n + 2 block^2` numbers.

    Source: Rathore, Frangella, Yang, Derezinski and Udell 2024 (arXiv:2407.10070), algorithm 2 (Skotch), with the block's
    own factor in place of a sketch of it, which takes fewer passes and leaves no step length to choose.

    Example:
        >>> import ntkit
        >>> x = torch.linspace(0, 1, 300).double()[:, None]
        >>> K = ntkit.gram(ntkit.kernels.Laplace(0.2), x)
        >>> found = ntkit.solvers.solve(K, x[:, 0], ridge=1.0, tolerance=1e-4, method=BlockDescent(100))
        >>> found.converged, found.method
        (True, 'block descent')
    """

    block: int = 2000
    max_passes: int = 100
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        replace_fields(
            self,
            block=positive_int("block", self.block),
            max_passes=positive_int("max_passes", self.max_passes),
        )

    def solve(
        self,
        operator: AbstractOperator,
        rhs: Tensor,
        *,
        ridge: float,
        tolerance: float,
        progress: bool | None,
    ) -> Solution:
        """Passes until a whole product finds the residual below the tolerance."""
        _refuse_without_entries(operator)
        kept = Checkpoint(
            self.checkpoint, lambda: problem_of(operator, ridge, ("blocks of", self.block)), rhs
        )
        at = _AfterBlock.of(kept.state(), rhs)
        residual = largest_relative(rhs, rhs)
        with ResidualBar(tolerance, progress, "blocks") as bar, kept:
            while at.passes < self.max_passes and residual > tolerance:
                gap, at = self._mended(operator, rhs, ridge, at)
                rows = gap.shape[1] / rhs.shape[1]
                bar.show(largest_relative(gap / rows**0.5, rhs))
                if at.block == 0:
                    sampled = largest_relative(at.squares.sqrt()[:, None], rhs)
                    is_last = at.passes == self.max_passes or rows == 1
                    if sampled <= 2 * tolerance or is_last:
                        residual = residual_of(operator, rhs, at.x, ridge)[1]
                kept.offer(at.state)
        kept.end(residual <= tolerance)
        words = f"{at.passes} passes over blocks of {min(self.block, rhs.shape[1]):,} rows"
        return Solution(at.x, residual <= tolerance, residual, at.passes, "block descent", words)

    def _mended(
        self, operator: AbstractOperator, rhs: Tensor, ridge: float, at: "_AfterBlock"
    ) -> tuple[Tensor, "_AfterBlock"]:
        """What the next block missed, and where the solve stands without it."""
        n = rhs.shape[1]
        draw = torch.Generator().manual_seed(at.passes)  # the same pass, the same blocks
        order = torch.randperm(n, generator=draw).split(self.block)
        index = order[at.block].to(rhs.device)
        gap = rhs[:, index] - _rows_at(operator, at.x, index) - ridge * at.x[:, index]
        matrix = _block(operator, index).double()
        matrix.diagonal().add_(ridge)
        change = cholesky(matrix).solve(gap.T.double()).T.to(rhs.dtype)
        squares = gap.square().sum(1) + (at.squares if at.block else 0)
        is_last = at.block + 1 == len(order)
        following = _AfterBlock(
            at.x.index_add(1, index, change),
            squares,
            at.passes + is_last,
            0 if is_last else at.block + 1,
        )
        return gap, following


@dataclass(frozen=True, eq=False)
class _AfterBlock:
    """Between two blocks.

    Attributes:
        x: The solution so far.
        squares: Of each right-hand side, what the blocks of the pass missed, squared.
        passes: Passes that have ended.
        block: Blocks of the present pass that are done.
    """

    x: Float[Tensor, "c n"]
    squares: Float[Tensor, " c"]
    passes: int
    block: int

    @classmethod
    def of(cls, state: dict[str, Tensor] | None, rhs: Tensor) -> "_AfterBlock":
        """As it was kept; else at the beginning."""
        if state is None:
            return cls(torch.zeros_like(rhs), rhs.new_zeros(len(rhs)), 0, 0)
        passes, block = state["counts"].tolist()
        return cls(state["x"], state["squares"], passes, block)

    def state(self) -> dict[str, Tensor]:
        """As tensors."""
        counts = torch.tensor([self.passes, self.block])
        return {"x": self.x, "squares": self.squares, "counts": counts}


def _refuse_without_entries(op: AbstractOperator) -> None:
    """Refuse what has no entries to hand.

    Raises:
        ValueError: It is known by its products alone.
    """
    while isinstance(op, ScaledOperator):
        op = op.op
    if not isinstance(op, DenseOperator | TiledOperator):
        raise ValueError(
            f"`BlockDescent` needs entries of the matrix, of a dense or a tiled operator, got {op!r}. Take "
            "`ConjugateGradients`."
        )


def _rows_at(op: AbstractOperator, x: Tensor, index: Tensor) -> Tensor:
    """Those entries of the product."""
    if isinstance(op, ScaledOperator):
        return _rows_at(op.op, x * op.scale, index) * op.scale[index]
    if isinstance(op, DenseOperator):
        return x @ op.matrix[index].T
    assert isinstance(op, TiledOperator)
    return op.rows_at(x, index)


def _block(op: AbstractOperator, index: Tensor) -> Tensor:
    """Those rows of those columns, a copy."""
    if isinstance(op, ScaledOperator):
        scale = op.scale[index]
        return _block(op.op, index) * scale * scale[:, None]
    if isinstance(op, DenseOperator):
        return op.matrix[index][:, index]
    assert isinstance(op, TiledOperator)
    return op.block(index)
