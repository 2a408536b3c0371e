"""Least squares on the kernel functions of a few centres, in a basis where their norm is the plain one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.executor import Executor
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.cholesky import CholeskyFactor, cholesky
from ntkit.solvers.preconditioners import AbstractPreconditioner, Inverse

__all__ = ["InducingSystem", "SampledRows"]

_TILE_BYTES = 8 * 2**20
"""Of a tile, which is used twice before it leaves the cache."""

_RUN = 16
"""Tiles that are one piece of work."""

_ROWS = 8
"""Rows of the sample for each centre: the condition that the law of Marchenko and Pastur gives is then at most 4.4, a
digit for two iterations; twice as many would save a quarter of these."""

Kernel = Callable[[Tensor, Tensor], Tensor]
Source = tuple[Kernel, Tensor, Tensor, Tensor | None]
"""A kernel, points, centres, and the weight of each point where they have any."""


class InducingSystem(AbstractOperator):
    """`Phi^T W Phi` for `Phi = K(x, c) L^-T` with `K(c, c) = L L^T`: `[m, m]`, by one pass over the points a product.

    In this basis the norm of a function is the plain norm of its coefficients, so the ridge is the identity, and a
    residual is one in the norm of the kernel's own space whatever the centres.

    Args:
        kernel: `kernel(x1, x2) -> [n, m]`, symmetric in its arguments.
        x: Points.
        centres: Points whose kernel functions are combined.
        sample_weights: Of the points, 0 or more; none for ones.
        executor: Where tiles of `K(x, c)` are computed. None is stored.

    Cost: `n m` kernel entries and `2 n m` multiply-adds a right-hand side; `m^2` numbers, and the points.

    Source: Rudi, Carratino and Rosasco 2017 (arXiv:1705.10958), section 3.
    """

    def __init__(
        self,
        kernel: Kernel,
        x: Shaped[Tensor, "n ..."],
        centres: Shaped[Tensor, "m ..."],
        *,
        sample_weights: Float[Tensor, " n"] | None,
        executor: Executor,
    ) -> None:
        self.kernel, self.x, self.centres = kernel, x, centres
        self.sample_weights, self.executor = sample_weights, executor
        self.shape = (len(centres), len(centres))
        self.dtype, self.device, self.kind = torch.float64, x.device, "inducing"

    def rows(self, v: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """The product, of one pass over the points."""
        found = self._pass(_Twice(self._height), self.weights(v))
        return self.factor.whiten(found.T).T

    def targets(self, y: Float[Tensor, "c n"]) -> Float[Tensor, "c m"]:
        """`Phi^T W y`: the right-hand side of the normal equations."""
        return self.factor.whiten(self._pass(_Adjoint(self._height), y).T).T

    def weights(self, b: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Of the kernel functions of the centres, from coefficients in the basis: `L^-T b`."""
        return torch.linalg.solve_triangular(self.factor.lower.T, b.T, upper=True).T

    def features(self, index: Tensor) -> Float[Tensor, "k m"]:
        """Those rows of `W^1/2 Phi`."""
        tile = self.kernel(self.x[index], self.centres).double()
        if self.sample_weights is not None:
            tile *= self.sample_weights[index].sqrt()[:, None]
        return self.factor.whiten(tile.T).T

    def diagonal(self) -> Float[Tensor, " m"]:
        """Entries `[i, i]`, by `m` right-hand sides."""
        return self.dense().diagonal()

    def to(self, dtype: torch.dtype) -> "InducingSystem":
        """Itself: it is computed in float64 alone.

        Raises:
            ValueError: Another precision is asked for.
        """
        if dtype != self.dtype:
            raise ValueError(f"An inducing system is computed in float64, got `dtype={dtype}`.")
        return self

    @cached_property
    def factor(self) -> CholeskyFactor:
        """Of the centres' own matrix, with as little jitter as it needs."""
        return cholesky(self.kernel(self.centres, self.centres).double())

    @cached_property
    def _shared(self) -> Any:
        """The source, as the executor hands it to its places; they keep it."""
        source: Source = (self.kernel, self.x, self.centres, self.sample_weights)
        return self.executor.share(source)

    @property
    def _height(self) -> int:
        return max(1, _TILE_BYTES // (8 * len(self.centres)))

    def _pass(self, work: "_Twice | _Adjoint", v: Tensor) -> Tensor:
        """The sum over all points, in one order."""
        n, step = len(self.x), _RUN * self._height
        runs = [(i, min(n, i + step)) for i in range(0, n, step)]
        out = v.new_zeros(len(v), len(self.centres))
        for part in self.executor.map(work, runs, self._shared, self.executor.share(v)):
            out += part
        return out


@dataclass(frozen=True)
class SampledRows(AbstractPreconditioner):
    """`n / s` times the normal matrix of `s` of the rows, drawn evenly, `s` eight times the number of centres.

    For centres drawn evenly and the rows at the centres themselves this is Falkon's own.

    Cost: `s m` kernel entries and `s m^2` multiply-adds once.
    """

    name: ClassVar[str] = "sampled rows"

    def build(self, op: AbstractOperator, ridge: float) -> tuple[Inverse, str]:
        """The inverse, and what it is in words."""
        assert isinstance(op, InducingSystem)
        n, m = len(op.x), op.shape[0]
        count = min(n, _ROWS * m)
        draw = torch.Generator().manual_seed(0)  # the same points, the same preconditioner
        index = torch.randperm(n, generator=draw)[:count].to(op.device)
        matrix = torch.zeros(m, m, dtype=torch.float64, device=op.device)
        for part in index.split(max(1, m)):
            features = op.features(part)
            matrix.addmm_(features.T, features, alpha=n / count)
        matrix.diagonal().add_(ridge)
        factor = cholesky(matrix)
        return (lambda r: factor.solve(r.T).T), f"preconditioned by {count:,} of {n:,} rows"


@dataclass(frozen=True)
class _Twice:
    """`K^T W K v` over some points: each tile is multiplied by twice."""

    height: int

    def __call__(self, run: tuple[int, int], source: Source, v: Tensor) -> Tensor:
        out = torch.zeros_like(v)
        for rows, tile in _tiles(run, self.height, source):
            values = v @ tile.T
            if source[3] is not None:
                values *= source[3][rows]
            out += values @ tile
        return out


@dataclass(frozen=True)
class _Adjoint:
    """`K^T W y` over some points."""

    height: int

    def __call__(self, run: tuple[int, int], source: Source, y: Tensor) -> Tensor:
        out = y.new_zeros(len(y), len(source[2]))
        for rows, tile in _tiles(run, self.height, source):
            values = y[:, rows] if source[3] is None else y[:, rows] * source[3][rows]
            out += values @ tile
        return out


def _tiles(run: tuple[int, int], height: int, source: Source) -> Any:
    """Rows, and the kernel of their points with the centres."""
    kernel, x, centres, _ = source
    for i in range(*run, height):
        rows = slice(i, min(run[1], i + height))
        yield rows, kernel(x[rows], centres).double()
