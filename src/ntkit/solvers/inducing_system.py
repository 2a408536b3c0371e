"""Least squares on the kernel functions of a few centres, in a basis where their norm is the plain one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.checks import finite
from ntkit._core.chunk_sizes import OPERATOR_TILE
from ntkit._core.errors import NumericalError
from ntkit._core.executor import Executor
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.cholesky import CholeskyFactor, cholesky

__all__ = ["InducingSystem", "Source", "tiles"]

_TILE_BYTES = 8 * 2**20
"""Of a tile on a processor, which is used twice before it leaves the cache."""

_RUN = 16
"""Tiles that are one piece of work."""

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
        found = self._pass(_Twice(self.height), self.weights(v))
        return self.factor.whiten(found.T).T

    def targets(self, y: Float[Tensor, "c n"]) -> Float[Tensor, "c m"]:
        """`Phi^T W y`: the right-hand side of the normal equations."""
        return self.factor.whiten(self._pass(_Adjoint(self.height), y).T).T

    def weights(self, b: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Of the kernel functions of the centres, from coefficients in the basis: `L^-T b`."""
        return torch.linalg.solve_triangular(self.factor.lower.T, b.T, upper=True).T

    def of(self, index: Tensor) -> "InducingSystem":
        """Those points alone, in the same basis."""
        weights = self.sample_weights
        made = InducingSystem(
            self.kernel,
            self.x[index],
            self.centres,
            sample_weights=None if weights is None else weights[index],
            executor=self.executor,
        )
        vars(made)["factor"] = self.factor
        return made

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
        """Of the centres' own matrix, with as little jitter as it needs: up to what its own precision leaves of it.

        Raises:
            NumericalError: It has negative eigenvalues beyond rounding.
        """
        own = self.kernel(self.centres, self.centres)
        finite("kernel(centres, centres)", own)
        try:
            return cholesky(own.double(), max_jitter=torch.finfo(own.dtype).eps ** 0.5)
        except NumericalError:
            raise NumericalError(
                f"`kernel(centres, centres)` is not positive semi-definite, up to the rounding of {own.dtype}. Check the "
                "kernel, pass fewer centres, or points in float64."
            ) from None

    @cached_property
    def shared(self) -> Any:
        """The source, as the executor hands it to its places; they keep it."""
        source: Source = (self.kernel, self.x, self.centres, self.sample_weights)
        return self.executor.share(source)

    @property
    def height(self) -> int:
        """Rows of a tile."""
        is_here = self.x.device.type == "cpu"
        tile = _TILE_BYTES if is_here else OPERATOR_TILE.on(self.x.device)
        return max(1, tile // (8 * len(self.centres)))

    def _pass(self, work: "_Twice | _Adjoint", v: Tensor) -> Tensor:
        """The sum over all points, in one order."""
        n, step = len(self.x), _RUN * self.height
        runs = [(i, min(n, i + step)) for i in range(0, n, step)]
        out = v.new_zeros(len(v), len(self.centres))
        for part in self.executor.map(work, runs, self.shared, self.executor.share(v)):
            out += part
        return out


@dataclass(frozen=True)
class _Twice:
    """`K^T W K v` over some points: each tile is multiplied by twice."""

    height: int

    def __call__(self, run: tuple[int, int], source: Source, v: Tensor) -> Tensor:
        out = torch.zeros_like(v)
        for rows, tile in tiles(run, self.height, source):
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
        for rows, tile in tiles(run, self.height, source):
            values = y[:, rows] if source[3] is None else y[:, rows] * source[3][rows]
            out += values @ tile
        return out


def tiles(
    run: tuple[int, int], height: int, source: Source
) -> Iterator[tuple[slice, Float[Tensor, "k m"]]]:
    """Rows, and the kernel of their points with the centres."""
    kernel, x, centres, _ = source
    for i in range(*run, height):
        rows = slice(i, min(run[1], i + height))
        yield rows, kernel(x[rows], centres).double()
