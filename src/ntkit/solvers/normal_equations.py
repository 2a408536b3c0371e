"""The normal equations of a few centres, whole, by one pass over the points."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from ntkit._core.errors import NumericalError
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.checkpoint import Checkpoint
from ntkit.solvers.cholesky import cholesky
from ntkit.solvers.inducing_system import InducingSystem, Source, tiles
from ntkit.solvers.preconditioners import AbstractPreconditioner, Inverse

__all__ = ["NormalMatrix", "normal_equations", "rows_that_pay"]

_WHOLE = 4_000
"""Centres up to which all rows are taken. All of `n` rows cost `1.1 n m^2` multiply-adds, and spare some 30 passes of
`n m` kernel entries; a float64 entry of `RBF` in 20 dimensions takes as long as 160 multiply-adds (measured on one core):
30 * 160 / 1.1 = 4,400. The passes: a sample needs 12 to 18 where no row stands out, and took 54 on a million rows of a
real table, where some do."""

_ROWS = 8
"""Rows of a sample for each centre: the condition that the law of Marchenko and Pastur gives is then at most 4.4, a
digit for two iterations; twice as many would save a quarter of these."""

_PIECES = 256
"""Pieces of a pass at most: each one sends `m^2` numbers to where they are summed."""

_SHARE = 4
"""Rows of a piece for each centre, at least: so many multiply-adds times `m` for each number that it sends."""

_BLOCKS = 4
"""Of columns, of which those on and below the diagonal are multiplied: 10 of 16 products."""


def rows_that_pay(n: int, m: int) -> int:
    """How many of `n` rows the matrix of `m` centres should be summed of: all, or a sample.

    Example:
        >>> rows_that_pay(1_000_000, 2_000), rows_that_pay(1_000_000, 20_000)
        (1000000, 160000)
    """
    return n if m <= _WHOLE else min(n, _ROWS * m)


def normal_equations(
    system: InducingSystem, y: Float[Tensor, "c n"], *, kept: Checkpoint, progress: bool | None
) -> tuple[Float[Tensor, "m m"], Float[Tensor, "c m"]]:
    """`Phi^T W Phi`, of which the part above the diagonal is not to be read, and `Phi^T W y`.

    Rows are brought into the basis of the system before they are summed: it would take twice the digits afterwards.

    Args:
        system: The features `Phi` and weights `W`.
        y: Values as rows, none or more.
        kept: Keeps the sums between pieces.
        progress: As in `solve`.

    Raises:
        NumericalError: The kernel has entries that are not finite.

    Cost: `n m` kernel entries and `1.1 n m^2` multiply-adds; `m^2` numbers in each place, and as many sent from it for each
    of at most 256 pieces.
    """
    n, m = len(system.x), system.shape[0]
    total, done = y.new_zeros(m + len(y), m), 0
    state = kept.state()
    if state is not None:
        total, done = state["sum"], int(state["points"])
    pieces = list(_pieces(done, n, max(system.height, _SHARE * m, -(-n // _PIECES))))
    shared = system.executor.share((system.factor.lower, y))
    work = _Sums(max(system.height, m // _BLOCKS))
    with _bar(n, progress) as bar:
        bar.update(done)
        parts = system.executor.map(work, pieces, system.shared, shared)
        for (start, stop), part in zip(pieces, parts, strict=True):
            total = total + part  # not in place: what is kept must fit its count
            kept.offer(_Sum(total, stop).state)
            bar.update(stop - start)
    if not bool(torch.isfinite(total).all()):
        raise NumericalError(
            "`kernel` of the points with the centres has entries that are NaN, infinite or too large to square. "
            "Look at `kernel(points, centres)`."
        )
    return total[:m], total[m:]


@dataclass(frozen=True, eq=False)
class NormalMatrix(AbstractPreconditioner):
    """The factor of `n / s` times the normal matrix of `s` rows, and the ridge; of all rows the inverse itself.

    For centres drawn evenly and the rows at the centres themselves this is Falkon's preconditioner.

    Args:
        matrix: Of the rows; read on and below the diagonal.
        rows: Their number, `s`.
        n: The number of all.
    """

    name: ClassVar[str] = "normal matrix"
    matrix: Float[Tensor, "m m"] = field(repr=False)
    rows: int
    n: int

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words."""
        lifted = self.matrix * (self.n / self.rows)
        lifted.diagonal().add_(ridge)
        factor = cholesky(lifted)
        which = "all" if self.rows == self.n else f"{self.rows:,} of"
        return (lambda r: factor.solve(r.T).T), f"preconditioned by {which} {self.n:,} rows"


@dataclass(frozen=True, eq=False)
class _Sum:
    """Of the first points. Not of pieces: another device goes on with some of another size."""

    total: Tensor
    points: int

    def state(self) -> dict[str, Tensor]:
        """As tensors."""
        return {"sum": self.total, "points": torch.tensor(self.points)}


@dataclass(frozen=True)
class _Sums:
    """`[Phi, y]^T W Phi` over some points, on and below the diagonal."""

    height: int

    def __call__(
        self, piece: tuple[int, int], source: Source, shared: tuple[Tensor, Tensor]
    ) -> Tensor:
        lower, y = shared
        m, weights = len(lower), source[3]
        out, width = lower.new_zeros(m + len(y), m), -(-m // _BLOCKS)
        for rows, tile in tiles(piece, self.height, source):
            values = y[:, rows].T
            if weights is not None:
                root = weights[rows].sqrt()[:, None]
                tile, values = root * tile, root * values
            features = torch.linalg.solve_triangular(lower.T, tile, upper=True, left=False)
            left = torch.cat([features, values], 1)
            for j in range(0, m, width):
                out[j:, j : j + width].addmm_(left[:, j:].T, features[:, j : j + width])
        return out


def _pieces(done: int, n: int, step: int) -> Iterator[tuple[int, int]]:
    """Points that are one piece of work, whatever does it."""
    for i in range(done, n, step):
        yield i, min(n, i + step)


def _bar(n: int, progress: bool | None) -> tqdm:
    """Of the points that are summed."""
    return tqdm(
        total=n,
        desc="normal equations",
        unit="point",
        unit_scale=True,
        delay=2.0 if progress is None else 0.0,
        disable=None if progress is None else not progress,
    )
